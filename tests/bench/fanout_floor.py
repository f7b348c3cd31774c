"""The floor: one `send()` of a prebuilt frame per socket, in a plain loop. Obeys the same orders as `fanout_lasso`.

It checks nothing, keeps nothing and serves nobody else meanwhile: what is above it is what a server costs.
"""

from __future__ import annotations

import socket
import sys

from fanout_clients import SUBSCRIBE, masked
from fanout_orders import Orders, payload

from lasso_trio import descriptors
from lasso_trio.subscriptions.fanout import notification
from lasso_trio.subscriptions.frames import text_frame

ID = f"0x{1:032x}"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
ANSWER = text_frame(b'{"jsonrpc":"2.0","id":1,"result":"%b"}' % ID.encode())


def join(listening: socket.socket) -> socket.socket:
    """The next subscriber, let in without a look at what it says."""
    client, _ = listening.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.recv(65_536)
    client.sendall(SWITCH)
    client.recv(len(masked(SUBSCRIBE)), socket.MSG_WAITALL)
    client.sendall(ANSWER)
    return client


def main() -> None:
    members: list[socket.socket] = []
    orders = Orders(lambda: len(members))
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        print(listening.getsockname()[1], flush=True)
        while (order := sys.stdin.readline()).strip():
            if order.startswith("join"):
                members.extend(join(listening) for _ in range(int(order.split()[1])))
            elif order.startswith("publish"):
                orders.note_publish()
                frame = text_frame(notification(ID, payload(int(order.split()[1]))))
                for member in members:
                    member.send(frame)
            orders.report()


if __name__ == "__main__":
    descriptors.raise_limit()
    main()
