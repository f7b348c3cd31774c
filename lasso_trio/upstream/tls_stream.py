"""TLS over a `RawStream`, for one user at a time.

`trio.SSLStream` lets many tasks share a connection and pays with locks and checkpoints on every call: an exchange cost
twice as much over it as over plain TCP, and nearly all providers are spoken to over TLS. Here one exchange owns the
connection, so a request is one encryption and one send, and an answer one wait, one read and one decryption.

Everything that was received is decrypted at once, so bytes after an answer's end are seen, not left for the next one.
A missing close_notify at the end is an error, not an end: an answer that ends with its connection could have been cut.
"""

from __future__ import annotations

import ssl
from typing import final

import trio

from lasso_trio.upstream.raw_stream import CHUNK, Buffer, RawStream


@final
class TlsStream(trio.abc.Stream):
    """A client's end. `await shake_hands()` first. Raises as `RawStream` does; TLS errors are BrokenResourceErrors."""

    __slots__ = ("_ended", "_incoming", "_outgoing", "_tls", "_unsent", "raw")

    def __init__(
        self, raw: RawStream, context: ssl.SSLContext, server_name: str, session: ssl.SSLSession | None = None
    ) -> None:
        self.raw = raw
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name, session=session)
        self._unsent: tuple[bytes, int] = b"", 0
        self._ended = False
        """The peer's close_notify was read."""

    def __repr__(self) -> str:
        return f"<TlsStream {self._tls.version() or 'new'} over {self.raw!r}>"

    @property
    def session(self) -> ssl.SSLSession | None:
        """To resume with later. In TLS 1.3 its ticket comes after the handshake, with the first answer."""
        return self._tls.session

    async def shake_hands(self) -> None:
        """Raises ssl.SSLError besides the usual."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._fill()
            else:
                break
        await self.raw.send_all(self._outgoing.read())

    # Sending…

    def send_now(self, data: Buffer) -> int:
        """All of `data` or, if the kernel does not take it at once, 0: then `send_rest` must follow."""
        out = self._encrypted(data)
        sent = self.raw.send_now(out)
        if sent == len(out):
            return len(data)
        self._unsent = out, sent
        return 0

    async def send_rest(self, data: Buffer, sent: int) -> None:
        """What `send_now` left, which it knows itself."""
        (out, out_sent), self._unsent = self._unsent, (b"", 0)
        await self.raw.send_rest(out, out_sent)

    async def send_all(self, data: Buffer) -> None:
        await self.raw.send_all(self._encrypted(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self.raw.wait_send_all_might_not_block()

    def _encrypted(self, data: Buffer) -> bytes:
        try:
            if data:
                self._tls.write(data)
        except ssl.SSLError as error:
            raise trio.BrokenResourceError("TLS is broken") from error
        return self._outgoing.read()

    # Receiving…

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Up to `max_bytes` (64 KiB), of several records if they are there. A checkpoint unless some is left over."""
        limit = max_bytes or CHUNK
        while not self._ended:
            if self._incoming.pending or self._tls.pending():
                data = self._decrypted(limit)
                if data is not None:
                    return data
            if self._incoming.eof:
                raise trio.BrokenResourceError("the peer left without a word") from ssl.SSLEOFError()
            await self._fill()
        return b""

    def _decrypted(self, limit: int) -> bytes | None:
        """What can be read now; empty at the peer's close_notify; None if more must come first."""
        data = self._read(limit)
        while data and len(data) < limit and self._incoming.pending:
            more = self._read(limit - len(data))
            if not more:
                break
            data += more
        return data

    def _read(self, limit: int) -> bytes | None:
        try:
            data = self._tls.read(limit)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as error:
            raise trio.BrokenResourceError("TLS is broken") from error
        self._ended = not data
        return data

    async def _fill(self) -> None:
        """One read from the peer, after what TLS itself has to say (handshake, key updates). Cancelled: no loss."""
        if self._outgoing.pending:
            await self.raw.send_all(self._outgoing.read())
        data = await self.raw.receive_some(CHUNK)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    # Closing…

    def is_readable(self) -> bool:
        """As `RawStream.is_readable`: for a stream whose last answer was read to its end."""
        return self._ended or self.raw.is_readable()

    def close(self) -> None:
        """Close now, without a close_notify: what we receive is framed by HTTP, and what we send is complete."""
        self.raw.close()

    async def aclose(self) -> None:
        await self.raw.aclose()
