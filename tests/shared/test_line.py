from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from coredis import exceptions

from lasso_trio.config.redis_terms import RedisTerms
from lasso_trio.config.secret import Secret
from lasso_trio.shared.line import EngineFault, _tls, dial, fault_of

HELLO = b"%4\r\n+server\r\n+redis\r\n+version\r\n+7.0.15\r\n+proto\r\n:3\r\n+id\r\n:7\r\n"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (exceptions.AuthenticationFailureError("WRONGPASS"), "password"),
        (exceptions.AuthenticationRequiredError("NOAUTH"), "password"),
        (exceptions.ConnectionError("lost"), "unreachable"),
        (OSError("no route"), "unreachable"),
        (TimeoutError("late"), "timeout"),
        (exceptions.ResponseError("OOM command not allowed when used memory > 'maxmemory'."), "full"),
        (exceptions.ReadOnlyError("READONLY"), "refused"),
    ],
)
def test_foreign_errors_have_a_reason(error: Exception, reason: str) -> None:
    assert fault_of(error).reason == reason


def test_why_no_connection_came_about_is_told() -> None:
    error = exceptions.ConnectionError("Unable to connect")
    error.__cause__ = OSError("certificate verify failed")
    assert str(fault_of(error)) == "unreachable: Unable to connect (certificate verify failed)"


@asynccontextmanager
async def server(folder: Path, *answers: bytes) -> AsyncIterator[RedisTerms]:
    """Answers what comes with these, one after the other, and then no more."""

    async def serve(stream: trio.SocketStream) -> None:
        for answer in answers:
            await stream.receive_some()
            await stream.send_all(answer)
        await trio.sleep_forever()

    path = folder / "redis"
    listening = trio.socket.socket(trio.socket.AF_UNIX)
    await listening.bind(str(path))
    listening.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(listening)])
        yield RedisTerms("", 0, str(path), password=Secret("hidden"))
        nursery.cancel_scope.cancel()


async def test_commands_that_go_together_are_answered_in_order(tmp_path: Path) -> None:
    async with (
        server(tmp_path, HELLO, b"+OK\r\n", b"$1\r\na\r\n*2\r\n$-1\r\n:5\r\n") as terms,
        trio.open_nursery() as nursery,
    ):
        line = await dial(terms, nursery)
        assert await line.ask([("GET", b"k"), ("MGET", b"x", b"y")], 5.0) == [b"a", [None, 5]]
        assert line.usable
        nursery.cancel_scope.cancel()


async def test_a_full_engine_is_a_fault_and_the_line_stays(tmp_path: Path) -> None:
    async with server(tmp_path, HELLO, b"+OK\r\n", b"-OOM no\r\n+OK\r\n") as terms, trio.open_nursery() as nursery:
        line = await dial(terms, nursery)
        with pytest.raises(EngineFault, match="full"):
            await line.ask([("SET", b"k", b"v"), ("PING",)], 5.0)
        assert line.usable
        nursery.cancel_scope.cancel()


async def test_a_server_that_does_not_write_any_more_is_dialled_anew(tmp_path: Path) -> None:
    refusal = b"-READONLY You can't write against a read only replica.\r\n"
    async with server(tmp_path, HELLO, b"+OK\r\n", refusal) as terms, trio.open_nursery() as nursery:
        line = await dial(terms, nursery)
        with pytest.raises(EngineFault, match="refused"):
            await line.ask([("SET", b"k", b"v")], 5.0)
        assert not line.usable
        nursery.cancel_scope.cancel()


def test_the_machines_authorities_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    monkeypatch.setattr("ssl.create_default_context", make)
    _tls.cache_clear()
    try:
        assert _tls() is _tls()
        assert len(made) == 1
    finally:
        _tls.cache_clear()


async def test_no_answer_in_time_is_a_fault_and_ends_the_line(tmp_path: Path) -> None:
    async with server(tmp_path, HELLO, b"+OK\r\n") as terms, trio.open_nursery() as nursery:
        line = await dial(terms, nursery)
        with pytest.raises(EngineFault, match="timeout"):
            await line.ask([("PING",)], 0.01)
        assert not line.usable
        with pytest.raises(EngineFault, match="unreachable"):
            await line.ask([("PING",)], 0.01)
        nursery.cancel_scope.cancel()


@pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")  # coredis' own, of what never connected
async def test_nobody_there_and_a_wrong_password_are_told_apart(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        assert await refusal(RedisTerms("", 0, str(tmp_path / "nobody")), nursery) == "unreachable"
        async with server(tmp_path, b"-WRONGPASS invalid username-password pair\r\n") as terms:
            assert await refusal(terms, nursery) == "password"
    gc.collect()  # here, where the warnings are expected


async def refusal(terms: RedisTerms, nursery: trio.Nursery) -> str:
    try:
        await dial(terms, nursery)
    except EngineFault as fault:
        return fault.reason if "hidden" not in str(fault) else str(fault)
    return "none"
