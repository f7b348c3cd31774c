"""What the two ends of a relayed feed say to each other.

    follower                                keeping worker
    ask  OPEN  instance, params ──────────► its keeper subscribes upstream, or shares what it has
       ◄────── Opened                       (refused, or not to be had: said in words)
       ◄────── NEWS  number, events …       in the provider's order
       ◄────── END   numbers                the session was lost, or what was told did not fit
    tell CLOSE number ────────────────────► the last who closes unsubscribes upstream
    tell HURRY instance ──────────────────► a stream has nobody to listen to

A number is chosen by who opens, and is never used again by that worker.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lasso_trio.providers.verdict import Category, ErrorClass

OPEN: Final = "relay.open"
NEWS: Final = "relay.news"
END: Final = "relay.end"
CLOSE: Final = "relay.close"
HURRY: Final = "relay.hurry"


class Opening(msgspec.Struct, array_like=True, frozen=True):
    """`params`: the JSON array of `eth_subscribe`."""

    number: int
    instance: str
    params: bytes


class Opened(msgspec.Struct, array_like=True, frozen=True):
    """`missing`: why there is no feed at the moment. `refused`: the provider's code, and `text` what it said.

    What a refusal means is told as well: only the keeping worker has the error's data, and knows what it said itself.
    `category` and `error_class`: of the verdict, None when the text is to be judged. `hint_s`: when to come back.
    """

    missing: str = ""
    refused: int | None = None
    text: str = ""
    hint_s: float | None = None
    category: Category | None = None
    error_class: ErrorClass | None = None


class Events(msgspec.Struct, array_like=True, frozen=True):
    """`events`: each one's raw JSON and when it was read, by the shared clock."""

    number: int
    events: list[tuple[bytes, float]]


encode: Final = msgspec.msgpack.Encoder().encode
decode_opening: Final = msgspec.msgpack.Decoder(Opening).decode
decode_opened: Final = msgspec.msgpack.Decoder(Opened).decode
decode_events: Final = msgspec.msgpack.Decoder(Events).decode
decode_number: Final = msgspec.msgpack.Decoder(int).decode
decode_numbers: Final = msgspec.msgpack.Decoder(list[int]).decode
decode_instance: Final = msgspec.msgpack.Decoder(str).decode
