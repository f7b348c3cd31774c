"""A DNS server on loopback, small enough to break on purpose: it answers over UDP what `records` says now."""

from __future__ import annotations

import attrs
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import trio


@attrs.define(eq=False)
class Names:
    """`records`: by name and type, as `("lasso.internal.", "A")`. `broken`: every answer is SERVFAIL. `silent`: there
    is none.
    """

    records: dict[tuple[str, str], list[str]] = attrs.field(factory=dict)
    broken: bool = False
    silent: bool = False
    asked: int = 0
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
            task_status.started()
            while True:
                wire, asker = await sock.recvfrom(4096)
                answer = self.answer(dns.message.from_wire(wire))
                if not self.silent:
                    await sock.sendto(answer.to_wire(), asker)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        self.asked += 1
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        name, kind = question.name.to_text(), question.rdtype.name
        if self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif values := self.records.get((name, kind)):
            response.answer.append(dns.rrset.from_text(name, 0, "IN", kind, *values))
        return response
