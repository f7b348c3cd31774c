"""What the fuzzer has found, fed again: each of these inputs was an accident, or a connection that stayed for ever."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.cluster.seal import Direction, Seal
from lasso_trio.config.secret import Secret
from tests.fuzz import cluster_surface, door_surface, profile_surface, session_surface
from tests.fuzz.loop import VIRTUAL_S
from tests.fuzz.surface import Surface

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS = b"\0\0\5\1\5\0\0\0\1\x82\x84\x86\x41\x01a"
_UPGRADE = b"HTTP/1.1 %b Go\r\nUpgrade: websocket\r\nConnection: Upgrade%b\r\nSec-WebSocket-Accept: KEY!\r\n\r\n"
WEB = {
    "no path": b"GET ?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no path over http/2": b"GET ?a=%0e HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAA\r\n\r\n",
    "a target that is no url": b"GET http://a]th HTTP/1.1\r\nHost: a\r\n\r\n",
    "a host that is no name": b"GET /api/health HTTP/1.1\r\nHost: %b\r\n\r\n" % (b"n" * 90),
    "settings that are none": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkings\r\n\r\n",
    "http/2 with a stream of nonsense": _PREFACE + b"\0\0\x004294967295\4\0\0\0\0" + b"\0\0\0" + _HEADERS,
}
PROVIDER = {
    "a status line that is none": _UPGRADE.replace(b"HTTP/1.1 %b", b"HTTP/1..1 %b") % (b"101", b""),
    "a header in no alphabet": _UPGRADE % (b"101", b"\xe4\x81"),
    "half a status": _UPGRADE % (b"10q", b""),
}


def fed(surface: Surface, data: bytes) -> str:
    async def main() -> str:
        assert surface.opened is not None
        async with surface.opened() as feed:
            with trio.fail_after(VIRTUAL_S):
                return await feed(data)

    return trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("data", WEB.values(), ids=WEB)
@pytest.mark.parametrize("silent", [1, 10**9], ids=["silent afterwards", "gone afterwards"])
def test_a_hostile_request_of_the_web_lane_is_over_in_time(
    data: bytes, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_surface, "SILENT", silent)
    assert fed(door_surface.WEB, data)


@pytest.mark.parametrize("data", PROVIDER.values(), ids=PROVIDER)
def test_a_providers_broken_upgrade_ends_as_a_value(data: bytes) -> None:
    assert fed(session_surface.SESSIONS, data).split()[0] in ("eof", "refused", "lost")


@pytest.mark.parametrize(
    "deep", ["a: " + "[" * 400 + "]" * 400, "".join(f"{' ' * n}a:\n" for n in range(300)) + " " * 300 + "b"]
)
def test_a_profile_that_is_nested_too_deeply_is_a_problem_of_its_file(deep: str) -> None:
    assert profile_surface.feed(deep.encode()).startswith("not valid YAML: nested")


def test_a_signed_frame_with_broken_text_is_refused() -> None:
    header = b"\x97\x01\xa5\xe4asso\xa1b\xa12\xcb" + bytes(8) + b"\xc4\x01n\xc4\x01d"
    frame = Seal(Secret("s" * 64)).close(Direction.ASK, header)
    assert cluster_surface.feed(frame).split()[0] == "version"
