"""Faults say whose they are, whether the request may have been seen, and never more than the origin."""

from __future__ import annotations

import errno
import os
import ssl

import pytest
import trio

from lasso_trio.upstream import faults
from lasso_trio.upstream.raw_stream import NothingSent


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("fault", "dispatched", "local"),
    [
        (faults.ResolveFault("x"), False, False),
        (faults.ConnectFault("x"), False, False),
        (faults.TlsFault("x"), False, False),
        (faults.PoolFull("x"), False, True),
        (faults.PoolClosed("x"), False, True),
        (faults.Disconnected("x"), True, False),
        (faults.Malformed("x"), True, False),
        (faults.TooLarge("x"), True, False),
    ],
)
def test_each_fault_knows_whose_it_is(fault: faults.UpstreamFault, dispatched: bool, local: bool) -> None:
    assert (fault.dispatched, fault.local) == (dispatched, local)


def test_the_text_holds_word_origin_and_detail() -> None:
    fault = faults.Disconnected("eof", "too early")
    assert str(fault) == "Disconnected(eof): too early"
    assert str(fault.at("https://x.test")) == "Disconnected(eof) at https://x.test: too early"


@pytest.mark.parametrize(
    ("numbers", "reason", "local"),
    [
        ([errno.ECONNREFUSED], "refused", False),
        ([errno.ENETUNREACH, errno.ECONNREFUSED], "refused", False),
        ([errno.EMFILE, errno.ECONNREFUSED], "no_descriptors", True),
        ([errno.EADDRNOTAVAIL], "no_ports", True),
        ([errno.EPERM], "failed", False),
        ([], "failed", False),
    ],
)
def test_connect_errors_have_short_words(numbers: list[int], reason: str, local: bool) -> None:
    fault = faults.connect_fault([os_error(number) for number in numbers])
    assert (fault.reason, fault.local) == (reason, local)


def caused_by(cause: BaseException) -> trio.BrokenResourceError:
    error = trio.BrokenResourceError()
    error.__cause__ = cause
    return error


def test_handshake_errors_are_told_apart() -> None:
    certificate = ssl.SSLCertVerificationError(1, "no")
    certificate.verify_message = "Hostname mismatch"
    assert str(faults.tls_fault(caused_by(certificate))) == "TlsFault(certificate): Hostname mismatch"
    assert faults.tls_fault(caused_by(ssl.SSLError(1, "no"))).reason == "handshake"
    assert faults.tls_fault(caused_by(ssl.SSLEOFError(8, "eof"))).reason == "eof"
    assert faults.tls_fault(trio.BrokenResourceError()).reason == "eof"


def test_lost_connections_are_told_apart() -> None:
    assert not faults.lost(NothingSent()).dispatched
    assert faults.lost(trio.ClosedResourceError()).local
    assert faults.lost(trio.BrokenResourceError()).reason == "reset"
    assert faults.lost(caused_by(ssl.SSLEOFError(8, "eof"))).reason == "eof"
    assert faults.lost(trio.BrokenResourceError(), answer_begun=True).reason == "truncated"
