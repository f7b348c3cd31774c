from __future__ import annotations

import json

import pytest

from lasso_trio.routing.log_filter import LogQuery, read


def test_what_is_read_is_written_back_and_unknown_members_stay() -> None:
    params = b'[{"toBlock":"0x20","fromBlock":"0x10","address":["0xA","0xB"],"topics":[null,["0xC"]],"x":1.50}]'
    query = read(params)
    assert query == LogQuery(16, 32, (b'"0xA"', b'"0xB"'), (b"null", b'["0xC"]'), (("x", b"1.50"),))
    assert query.blocks == 17
    assert json.loads(query.encode()) == json.loads(params)
    assert b"1.50" in query.encode()


@pytest.mark.parametrize(
    ("address", "read_as", "written"),
    [
        ('"0xA"', (b'"0xA"',), "0xA"),
        ('["0xA"]', (b'"0xA"',), "0xA"),
        ('["0xA","0xA","0xB"]', (b'"0xA"', b'"0xB"'), ["0xA", "0xB"]),
        ("null", (), None),
        ("[]", (), None),
    ],
)
def test_addresses_are_one_or_many(address: str, read_as: tuple[bytes, ...], written: object) -> None:
    query = read(f'[{{"fromBlock":"0x1","toBlock":"0x1","address":{address}}}]'.encode())
    assert query is not None
    assert query.addresses == read_as
    assert json.loads(query.encode())[0].get("address") == written


def heights(tag: str) -> int | None:
    return {"latest": 99, "safe": 70, "finalized": 50}.get(tag)


@pytest.mark.parametrize(
    ("bounds", "first", "last"),
    [
        ('"fromBlock":"earliest","toBlock":"0xA"', 0, 10),
        ('"fromBlock":"0x1","toBlock":"latest"', 1, 99),
        ('"fromBlock":"0x1"', 1, 99),
        ('"fromBlock":"0x1","toBlock":null,"blockHash":null', 1, 99),
        ('"fromBlock":"0x1","toBlock":"finalized"', 1, 50),
        ('"fromBlock":"safe","toBlock":"latest"', 70, 99),
    ],
)
def test_tags_are_resolved(bounds: str, first: int, last: int) -> None:
    query = read(b"[{%b}]" % bounds.encode(), heights)
    assert query is not None
    assert (query.first, query.last) == (first, last)


@pytest.mark.parametrize(
    "params",
    [
        "[]",
        "[{}]",
        "[1]",
        "nonsense",
        '[{"fromBlock":"0x1","toBlock":"0x2"},1]',
        '[{"fromBlock":"0x1","toBlock":"0x2"},{}]',
        '[{"fromBlock":"0x1","toBlock":"latest"}]',
        '[{"fromBlock":"0x1","toBlock":"safe"}]',
        '[{"fromBlock":"0x2","toBlock":"0x1"}]',
        '[{"fromBlock":1,"toBlock":2}]',
        '[{"fromBlock":"0x1","toBlock":"finalized"}]',
        '[{"fromBlock":"pending","toBlock":"0x1"}]',
        '[{"blockHash":"0xAA"}]',
        '[{"blockHash":"0xAA","fromBlock":"0x1","toBlock":"0x2"}]',
        '[{"fromBlock":"0x1","toBlock":"0x2","topics":"0xA"}]',
    ],
)
def test_what_cannot_be_cut_is_left_to_the_node(params: str) -> None:
    assert read(params.encode()) is None


@pytest.mark.parametrize(
    ("topics", "choices"),
    [
        ((), ()),
        ((b'"0xA"',), ((),)),
        ((b"null",), ((),)),
        ((b'["0xA"]',), ((),)),
        ((b'["0xA",null]',), ((),)),
        ((b'["0xA","0xB"]', b"null", b'["0xC","0xD"]'), ((b'"0xA"', b'"0xB"'), (), (b'"0xC"', b'"0xD"'))),
    ],
)
def test_what_there_is_to_choose_from_at_each_place(
    topics: tuple[bytes, ...], choices: tuple[tuple[bytes, ...], ...]
) -> None:
    assert LogQuery(0, 1, topics=topics).choices == choices


def test_the_topics_of_one_place_are_exchanged() -> None:
    query = LogQuery(0, 1, topics=(b"null", b'["0xA","0xB"]', b'"0xC"'))
    assert query.choosing(1, (b'"0xB"',)).topics == (b"null", b'["0xB"]', b'"0xC"')
