from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.large_reply import HELD_BACK, recognise
from lasso_trio.jsonrpc.reply import BrokenReply, check

OPENINGS = [
    '{"jsonrpc":"2.0","id":5,"result":%s}',
    '{"id":5,"jsonrpc":"2.0","result":%s}',
    '{"jsonrpc":"2.0","result":%s,"id":5}',
    ' {\n "jsonrpc" : "2.0" ,\r\n\t"id" : 5 , "result" : %s }\n',
    '{"jsonrpc":"2.0",  "result":%s ,\n "id": 5 }\r\n',
    '{"jsonrpc":"2.0","id":5,"result":%s,"x":[1,{"id":5}]}',
]
RESULTS = ['"0x%s"' % ("ab" * 300), "[" + '{"id":5,"x":1e3},' * 60 + "1]", '{"a":"%s"}' % ("é" * 300)]
CLIENT_IDS = [b"1", b"18446744073709551616", b"null", b'"a\\"}"']
ENOUGH = 64
"""Every opening above fits into so many bytes; the pool hands over at least 256 KiB."""


def whole(body: bytes, cuts: list[int], client_id: bytes, extra: bytes = b"") -> bytes:
    """`body` in pieces through a LargeReply."""
    first, *pieces = [body[a:b] for a, b in pairwise([0, *sorted(cuts), len(body)])]
    reply = recognise(first, 5, client_id)
    assert reply is not None
    return b"".join([reply.first, *(reply.feed(piece) for piece in pieces), reply.finish(extra)])


@st.composite
def cut_bodies(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    body = (draw(st.sampled_from(OPENINGS)) % draw(st.sampled_from(RESULTS))).encode()
    return body, draw(st.lists(st.integers(ENOUGH, len(body)), max_size=8))


@given(cut_bodies(), st.sampled_from(CLIENT_IDS))
def test_any_split_gives_what_the_whole_reply_gives(cut: tuple[bytes, list[int]], client_id: bytes) -> None:
    body, cuts = cut
    assert whole(body, cuts, client_id) == check(body, 5).splice(client_id)


@given(cut_bodies(), st.sampled_from(CLIENT_IDS), st.sampled_from([b"", b',"lasso_meta":{}']))
def test_the_growth_foretells_the_length(cut: tuple[bytes, list[int]], client_id: bytes, extra: bytes) -> None:
    body, cuts = cut
    reply = recognise(body[:ENOUGH], 5, client_id)
    assert reply is not None
    assert len(whole(body, cuts, client_id, extra)) == len(body) + reply.growth + len(extra)


@pytest.mark.parametrize("opening", OPENINGS)
def test_further_members_go_before_the_last_brace(opening: str) -> None:
    body = (opening % RESULTS[0]).encode()
    expected = check(body, 5).splice(b"1")
    end = expected.rindex(b"}")
    assert whole(body, [100, 200], b"1", b',"m":1') == expected[:end] + b',"m":1' + expected[end:]


def test_nothing_is_held_back_but_the_last_bytes() -> None:
    reply = recognise(b'{"jsonrpc":"2.0","id":5,"result":"' + b"x" * 1000, 5, b"7")
    assert reply is not None
    assert len(reply.first) == 34 + 1000 - HELD_BACK
    assert reply.feed(b"y") == b"x"
    assert len(reply.feed(b"y" * 5000)) == 5000


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc":"2.0","id":6,"result":[',
        '{"jsonrpc":"2.0","id":55,"result":[',
        '{"jsonrpc":"2.0","id":05,"result":[',
        '{"jsonrpc":"2.0","id":"5","result":[',
        '{"jsonrpc":"2.0","id":null,"result":[',
        '{"jsonrpc":"1.0","id":5,"result":[',
        '{"id":5,"result":[',
        '{"jsonrpc":"2.0","id":5,"error":{',
        '{"jsonrpc":"2.0","id":5,"result":null',
        '{"jsonrpc":"2.0","id":5,"result":12345',
        '{"jsonrpc":"2.0","id":5,"x":1,"result":[',
        '{"jsonrpc":"2.0","id":5,"id":5,"result":[',
        '{"result":[',
        '[{"jsonrpc":"2.0","id":5,"result":[',
        '\x0b{"jsonrpc":"2.0","id":5,"result":[',
        'x{"jsonrpc":"2.0","id":5,"result":[',
        "<html>",
        "",
    ],
)
def test_an_opening_that_leaves_a_doubt_is_not_passed_through(text: str) -> None:
    assert recognise(text.encode() + b"0" * 500, 5, b"1") is None


@pytest.mark.parametrize(
    ("opening", "end", "why"),
    [
        ('{"jsonrpc":"2.0","id":5,"result":[', "1,2,3]", "invalid_json"),
        ('{"jsonrpc":"2.0","id":5,"result":[', "1,2,3]}x", "invalid_json"),
        ('{"jsonrpc":"2.0","result":[', '1],"id":6}', "id_mismatch"),
        ('{"jsonrpc":"2.0","result":[', '1],"id":"5"}', "id_mismatch"),
        ('{"jsonrpc":"2.0","result":[', "1]}", "id_mismatch"),
        ('{"jsonrpc":"2.0","result":{"a":[', '1],"id":5}}', "id_mismatch"),
    ],
)
def test_an_end_that_does_not_fit_breaks_the_reply(opening: str, end: str, why: str) -> None:
    reply = recognise(opening.encode() + b"1," * 500, 5, b"1")
    assert reply is not None
    reply.feed(end.encode())
    with pytest.raises(BrokenReply, match=why):
        reply.finish()
