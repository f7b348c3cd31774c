"""The protocol's letter, after RFC 6455 sections 5 and 7, with bytes made by hand: a library would not send them."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from itertools import pairwise
from os import urandom

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from wsproto.events import CloseConnection, Ping, Pong, TextMessage

from tests.server.ws_world import World, WsClient, directory, make_world

Make = Callable[..., World]
CALL = b'{"id":1,"method":"eth_call"}'
FIN, TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x80, 1, 2, 0, 8, 9, 10


def frame(first: int, payload: bytes = b"", *, mask: bytes | None = b"\x01\x02\x03\x04", size: int = 0) -> bytes:
    """One frame. `first`: its first byte; `size` forces the 16- or 64-bit spelling of the length."""
    masked = 0x80 if mask is not None else 0
    n = len(payload)
    if size == 64 or n > 65_535:
        head = struct.pack("!BBQ", first, masked | 127, n)
    elif size == 16 or n > 125:
        head = struct.pack("!BBH", first, masked | 126, n)
    else:
        head = struct.pack("!BB", first, masked | n)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


async def sent(world: World, *frames: bytes) -> WsClient:
    client = await world.connect()
    await client.raw(b"".join(frames))
    return client


async def ends_with(client: WsClient, code: int) -> None:
    """The node says `code` and ends the connection."""
    told = await client.closed()
    assert told is not None, "no close was said"
    assert told[0] == code, told
    await client.stream.aclose()


async def serves_others(world: World) -> None:
    other = await world.connect()
    await other.raw(frame(FIN | TEXT, CALL))
    assert (await other.json())["result"] == "eth_call"
    assert world.door.counters.connection_crashes == 0


def in_a_world(scenario: Callable[[World], Awaitable[None]]) -> None:
    """For property tests: each example has a world of its own."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await scenario(make_world(nursery, {}, directory()))
            nursery.cancel_scope.cancel()

    trio.run(main)


# 5.2 to 5.4: frames and fragments…


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", urandom(4)], ids=["none", "all", "any"])
async def test_any_mask_is_taken_off(ws_world: Make, mask: bytes) -> None:
    client = await sent(ws_world(), frame(FIN | TEXT, CALL, mask=mask))
    assert (await client.json())["result"] == "eth_call"


@pytest.mark.parametrize("size", [125, 126, 127, 65_535, 65_536, 70_000])
async def test_every_spelling_of_a_length_is_read(ws_world: Make, size: int) -> None:
    text = CALL[:-1] + b" " * (size - len(CALL)) + b"}"
    client = await sent(ws_world(), frame(FIN | TEXT, text))
    assert (await client.json())["result"] == "eth_call"


@given(cuts=st.lists(st.integers(0, len(CALL)), max_size=6), pings=st.booleans())
def test_a_message_may_be_cut_anywhere_with_control_frames_in_between(cuts: list[int], pings: bool) -> None:
    pieces = [CALL[a:b] for a, b in pairwise([0, *sorted(cuts), len(CALL)])]
    wire = b""
    for n, piece in enumerate(pieces):
        wire += frame((FIN if n == len(pieces) - 1 else 0) | (CONTINUATION if n else TEXT), piece)
        wire += frame(FIN | PING, b"p") if pings else b""

    async def scenario(world: World) -> None:
        client = await sent(world, wire)
        while isinstance(event := await client.event(), Pong):
            pass
        assert isinstance(event, TextMessage)
        assert '"eth_call"' in event.data

    in_a_world(scenario)


async def test_frames_that_come_byte_by_byte_are_read(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    for byte in frame(TEXT, CALL[:5]) + frame(FIN | PING, b"p") + frame(FIN | CONTINUATION, CALL[5:]):
        await client.raw(bytes([byte]))
        await world.settle()
    assert isinstance(await client.event(), Pong)
    assert (await client.json())["result"] == "eth_call"


async def test_many_messages_in_one_segment_are_all_answered(ws_world: Make) -> None:
    client = await sent(ws_world(), frame(FIN | TEXT, CALL) * 40)
    assert [(await client.json())["result"] for _ in range(40)] == ["eth_call"] * 40


@pytest.mark.parametrize(
    "frames",
    [
        frame(FIN | TEXT, CALL, mask=None),
        frame(FIN | 0x40 | TEXT, CALL),
        frame(FIN | 0x20 | TEXT, CALL),
        frame(FIN | 0x10 | TEXT, CALL),
        frame(FIN | 3, b"reserved"),
        frame(FIN | 7, b"reserved"),
        frame(FIN | 11, b"reserved"),
        frame(FIN | 15, b"reserved"),
        frame(FIN | CONTINUATION, b"of nothing"),
        frame(TEXT, b"{") + frame(FIN | TEXT, b"}"),
        frame(TEXT, b"{") + frame(FIN | BINARY, b"}"),
        frame(PING, b"cut"),
        frame(FIN | PING, b"x" * 126),
        frame(FIN | CLOSE, b"x" * 126),
        frame(FIN | TEXT, b"x" * 10, size=16),
        frame(FIN | TEXT, b"x" * 200, size=64),
        struct.pack("!BBQ", FIN | TEXT, 0xFF, 1 << 63) + b"mask",
    ],
    ids=lambda wire: wire[:6].hex(),
)
async def test_a_frame_that_must_not_be_is_told_1002(ws_world: Make, frames: bytes) -> None:
    world = ws_world()
    await ends_with(await sent(world, frames), 1002)
    await serves_others(world)


async def test_what_came_before_the_breach_is_answered_or_cancelled_but_nothing_hangs(ws_world: Make) -> None:
    world = ws_world()
    client = await sent(world, frame(FIN | TEXT, b'{"id":1,"method":"eth_wait"}'), frame(FIN | 3))
    await ends_with(client, 1002)
    await world.settle()
    assert (world.door.active, len(world.lane.sessions)) == (0, 0)


# 5.5: control frames…


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x00\xff\xfe", b"x" * 125])
async def test_a_ping_is_answered_with_its_payload(ws_world: Make, payload: bytes) -> None:
    client = await sent(ws_world(), frame(FIN | PING, payload))
    event = await client.event()
    assert isinstance(event, Pong)
    assert event.payload == payload


async def test_ten_pings_get_ten_pongs_in_order(ws_world: Make) -> None:
    client = await sent(ws_world(), *(frame(FIN | PING, b"%d" % n) for n in range(10)))
    for n in range(10):
        event = await client.event()
        assert isinstance(event, Pong | Ping)
        assert event.payload == b"%d" % n


async def test_a_pong_that_nobody_asked_for_is_passed_over(ws_world: Make) -> None:
    client = await sent(ws_world(), frame(FIN | PONG, b"unasked"), frame(FIN | TEXT, CALL))
    assert (await client.json())["result"] == "eth_call"


# 7.4: closes…


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
async def test_a_close_is_answered_with_its_code(ws_world: Make, code: int) -> None:
    client = await sent(ws_world(), frame(FIN | CLOSE, struct.pack("!H", code) + b"why"))
    await ends_with(client, code)


async def test_a_close_without_a_code_is_answered(ws_world: Make) -> None:
    client = await sent(ws_world(), frame(FIN | CLOSE))
    event = await client.event()
    assert isinstance(event, CloseConnection)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
async def test_a_code_that_must_not_be_sent_is_told_1002(ws_world: Make, code: int) -> None:
    world = ws_world()
    await ends_with(await sent(world, frame(FIN | CLOSE, struct.pack("!H", code))), 1002)
    await serves_others(world)


async def test_half_a_code_is_told_1002(ws_world: Make) -> None:
    await ends_with(await sent(ws_world(), frame(FIN | CLOSE, b"\x03")), 1002)


async def test_nothing_is_answered_after_a_close(ws_world: Make) -> None:
    world = ws_world()
    client = await sent(world, frame(FIN | CLOSE, b"\x03\xe8"), frame(FIN | TEXT, CALL), frame(FIN | PING))
    await ends_with(client, 1000)
    assert world.service.asked == []


# 8.1: text is UTF-8…


@pytest.mark.parametrize(
    "frames",
    [
        frame(FIN | TEXT, b"\xff"),
        frame(FIN | TEXT, b'{"id":"\xce\xba\xed\xa0\x80"}'),
        frame(FIN | TEXT, b"\xf4\x90\x80\x80"),
        frame(FIN | TEXT, b"\xc0\xaf"),
        frame(FIN | TEXT, b"half \xce"),
        frame(TEXT, b"\xce") + frame(FIN | CONTINUATION, b"x"),
        frame(FIN | CLOSE, b"\x03\xe8\xff\xfe"),
    ],
    ids=lambda wire: wire[-4:].hex(),
)
async def test_text_that_is_no_utf8_is_told_1007(ws_world: Make, frames: bytes) -> None:
    world = ws_world()
    await ends_with(await sent(world, frames), 1007)
    await serves_others(world)


async def test_a_character_may_be_cut_in_two(ws_world: Make) -> None:
    text = '{"id":"κόσμε","method":"eth_call"}'.encode()
    cut = text.index(b"\xce") + 1
    client = await sent(ws_world(), frame(TEXT, text[:cut]), frame(FIN | CONTINUATION, text[cut:]))
    assert (await client.json())["id"] == "κόσμε"


async def test_binary_that_is_no_utf8_is_a_parse_error_and_the_socket_lives(ws_world: Make) -> None:
    client = await sent(ws_world(), frame(FIN | BINARY, b"\xff"), frame(FIN | TEXT, CALL))
    codes = {str((await client.json()).get("error", {}).get("code")) for _ in range(2)}
    assert codes == {"-32700", "None"}


# Limits…


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_message_beyond_the_limit_is_told_1009(ws_world: Make, pieces: int) -> None:
    world = ws_world(max_message_bytes=1000)
    whole = b"x" * 1001
    size = len(whole) // pieces + 1
    cut = [whole[n : n + size] for n in range(0, len(whole), size)]
    frames = [frame((FIN if n == len(cut) - 1 else 0) | (CONTINUATION if n else TEXT), p) for n, p in enumerate(cut)]
    client = await sent(world, *frames)
    await ends_with(client, 1009)
    await serves_others(world)


async def test_a_message_of_just_the_limit_is_read(ws_world: Make) -> None:
    client = await sent(ws_world(max_message_bytes=1000), frame(FIN | TEXT, CALL[:-1] + b" " * 972 + b"}"))
    assert (await client.json())["result"] == "eth_call"


async def test_a_connection_that_breaks_in_the_middle_of_a_frame_harms_nobody(ws_world: Make) -> None:
    world = ws_world()
    client = await sent(world, frame(FIN | TEXT, CALL)[:-3])
    await client.stream.aclose()
    await serves_others(world)
    assert len(world.lane.sessions) == 1


@given(noise=st.binary(min_size=1, max_size=200))
def test_noise_harms_nobody(noise: bytes) -> None:
    async def scenario(world: World) -> None:
        client = await sent(world, noise)
        await client.stream.aclose()
        await world.settle()
        await serves_others(world)

    in_a_world(scenario)
