"""Opening connections to one endpoint: resolve, connect, shake hands, each stage timed.

The dialer remembers what makes the next dial cheaper: the host's addresses, and the TLS session of the last connection
(its ticket comes with the first answer, so it is fetched from the old stream when the next one is dialled).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

import trio

from lasso_trio.upstream.addresses import AddressBook
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.eyeballs import connect
from lasso_trio.upstream.faults import NETWORK_ERRORS, ConnectFault, tls_fault
from lasso_trio.upstream.raw_stream import RawStream
from lasso_trio.upstream.tls import trust
from lasso_trio.upstream.tls_stream import TlsStream


class Dialer:
    """`await dialer.dial()`. `ca_file`: PEM certificates trusted besides the system's (private providers, tests)."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        ca_file: str | None = None,
        book: AddressBook | None = None,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self._endpoint = endpoint
        self._ca_file = ca_file
        self._book = book if book is not None else AddressBook(endpoint.host, endpoint.port, clock=clock)
        self._clock = clock
        self._last: TlsStream | None = None
        self._session: ssl.SSLSession | None = None

    def __repr__(self) -> str:
        return f"<Dialer {self._endpoint.origin}>"

    async def dial(self) -> Dialled:
        """Raises ResolveFault, ConnectFault or TlsFault. Cancelled: nothing is left open."""
        clock, begun = self._clock, self._clock()
        addresses = await self._book.addresses()
        resolved = clock()
        try:
            raw = RawStream(await connect(addresses))
        except ConnectFault:
            self._book.distrust()
            raise
        connected = clock()
        if not self._endpoint.tls:
            return Dialled(raw, resolved - begun, connected - resolved)
        stream = await self._shake_hands(raw)
        return Dialled(stream, resolved - begun, connected - resolved, clock() - connected)

    async def _shake_hands(self, raw: RawStream) -> TlsStream:
        context = trust(self._ca_file)
        stream = TlsStream(raw, context, self._endpoint.server_name, self._session_to_resume())
        try:
            await stream.shake_hands()
        except NETWORK_ERRORS as error:
            raw.close()
            self._session = self._last = None
            raise tls_fault(error) from error
        except BaseException:
            raw.close()
            raise
        self._last = stream
        return stream

    def _session_to_resume(self) -> ssl.SSLSession | None:
        last = self._last
        if last is not None and last.session is not None and last.session.has_ticket:
            self._session, self._last = last.session, None
        return self._session
