"""The first address that answers wins, and no socket is left behind. Loopback only."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest
import trio

from lasso_trio.upstream import eyeballs
from lasso_trio.upstream.addresses import Address
from lasso_trio.upstream.faults import ConnectFault

made: list[socket.socket] = []


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def refuser() -> Iterator[Address]:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Address(socket.AF_INET, bound.getsockname())


@pytest.fixture(autouse=True)
def no_socket_is_left() -> Iterator[None]:
    """Of those made in here; real ones that are left give a ResourceWarning, which is an error."""
    made.clear()
    yield
    assert all(sock.fileno() == -1 for sock in made)


def at(listener: socket.socket) -> Address:
    return Address(socket.AF_INET, listener.getsockname())


async def test_the_first_that_answers_is_taken(listener: socket.socket, refuser: Address) -> None:
    for addresses in ([at(listener)], [at(listener), refuser], [refuser, at(listener)]):
        sock = await eyeballs.connect(addresses)
        assert sock.getpeername() == listener.getsockname()
        assert not sock.getblocking()
        sock.close()


async def test_when_all_refuse_the_fault_says_so(refuser: Address) -> None:
    for addresses in ([refuser], [refuser, refuser]):
        with pytest.raises(ConnectFault) as caught:
            await eyeballs.connect(addresses)
        assert caught.value.reason == "refused"


async def slow_then(seconds: float, address: Address) -> socket.socket:
    sock = socket.socket(address.family)
    made.append(sock)
    try:
        await trio.sleep(seconds)
    except BaseException:
        sock.close()
        raise
    return sock


async def test_a_silent_address_gives_way_after_a_quarter_second(
    monkeypatch: pytest.MonkeyPatch, refuser: Address, autojump_clock: trio.abc.Clock
) -> None:
    waits = {1: 10.0, 2: 10.0, 3: 0.1}
    begun: list[tuple[float, int]] = []

    async def connect_one(address: Address) -> socket.socket:
        begun.append((trio.current_time(), int(address.where[1])))
        return await slow_then(waits[int(address.where[1])], address)

    monkeypatch.setattr(eyeballs, "_connect_one", connect_one)
    sock = await eyeballs.connect([Address(socket.AF_INET, ("127.0.0.1", port)) for port in (1, 2, 3)])
    sock.close()
    start = begun[0][0]
    assert [(pytest.approx(when - start), port) for when, port in begun] == [(0, 1), (0.25, 2), (0.5, 3)]
    assert trio.current_time() - start == pytest.approx(0.6)


async def test_two_that_connect_in_one_tick_leave_one(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.abc.Clock
) -> None:
    async def connect_one(address: Address) -> socket.socket:
        with trio.CancelScope(shield=True):
            return await slow_then(1, address)

    monkeypatch.setattr(eyeballs, "_connect_one", connect_one)
    sock = await eyeballs.connect([Address(socket.AF_INET, ("127.0.0.1", port)) for port in (1, 2)])
    assert sum(other.fileno() != -1 for other in made) == 1
    sock.close()


@pytest.mark.parametrize("ports", [(1,), (1, 2)])
async def test_a_cancel_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.abc.Clock, ports: tuple[int, ...]
) -> None:
    async def connect_one(address: Address) -> socket.socket:
        return await slow_then(1, address)

    monkeypatch.setattr(eyeballs, "_connect_one", connect_one)
    with trio.move_on_after(0.5) as scope:
        await eyeballs.connect([Address(socket.AF_INET, ("127.0.0.1", port)) for port in ports])
    assert scope.cancelled_caught
    assert len(made) == len(ports)


async def test_a_cancel_while_the_kernel_connects_closes_the_socket() -> None:
    """A full backlog leaves the connect hanging: that is as near to an unreachable host as loopback comes."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with trio.move_on_after(0.02):
            sock = await eyeballs.connect([Address(socket.AF_INET, full.getsockname())])
            sock.close()  # some kernels accept more than they were asked to
        for filler in fillers:
            filler.close()


async def test_running_out_of_descriptors_is_our_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect_one(address: Address) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(eyeballs, "_connect_one", connect_one)
    with pytest.raises(ConnectFault) as caught:
        await eyeballs.connect([Address(socket.AF_INET, ("127.0.0.1", 1))])
    assert caught.value.local
