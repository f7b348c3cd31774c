"""What is refused before anybody looks at its meaning: sizes, lengths, capacity, and what is let in all the same."""

from __future__ import annotations

import pytest

from tests.surface.conftest import CHAIN_ID, Client, Response, Start, Surface, rpc

CALL = rpc("eth_chainId")
UNPARSED = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error: Invalid JSON"}}
HEAD = b"POST /rpc/devnet HTTP/1.1\r\nhost: node\r\n"


async def exchange(surface: Surface, raw: bytes) -> tuple[Response, Client]:
    client = await surface.connect()
    return await client.exchange(raw), client


async def test_eight_million_bytes_are_accepted(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", CALL + b" " * (8_000_000 - len(CALL)))
    assert answer.json["result"] == hex(CHAIN_ID)
    assert surface.app.door.budget.used == 0


async def test_one_byte_more_is_refused_before_any_is_read(surface: Surface) -> None:
    answer, client = await exchange(surface, HEAD + b"content-length: 8000001\r\n\r\n")
    assert answer.status == 413
    assert answer.json["id"] is None
    assert answer.error == {"code": -32600, "message": "Invalid Request: request body too large"}
    assert await client.is_over()
    assert surface.app.door.budget.used == 0


async def test_a_chunked_body_is_bounded_too(start: Start) -> None:
    surface = await start(settings={"max_body_bytes": 100_000})
    chunks = (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 8
    answer, _ = await exchange(surface, HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks)
    assert (answer.status, answer.error["message"]) == (413, "Invalid Request: request body too large")
    assert surface.app.door.budget.used == 0


async def test_a_chunked_body_is_served(surface: Surface) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (CALL[:7], CALL[7:])) + b"0\r\n\r\n"
    answer, _ = await exchange(surface, HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks)
    assert answer.json["result"] == hex(CHAIN_ID)


@pytest.mark.parametrize(
    ("settings", "head"),
    [
        ({"byte_budget": 9_999}, b"content-length: 10000\r\n\r\n"),
        ({"byte_budget": 8_999_999}, b"transfer-encoding: chunked\r\n\r\n"),
    ],
)
async def test_a_full_budget_is_said_before_any_byte_is_read(
    start: Start, settings: dict[str, int], head: bytes
) -> None:
    """A body of unknown length is charged with nine million bytes."""
    surface = await start(settings=settings)
    answer, _ = await exchange(surface, HEAD + head)
    assert answer.status == 503
    assert answer.error == {"code": -32008, "message": "Local request byte capacity unavailable"}
    assert (await surface.post("/rpc/devnet", CALL)).status == 200
    assert surface.app.door.budget.used == 0


@pytest.mark.parametrize("length", [b"", b"+1", b"-1", b"1x", b"1,", b"1, 2", b"0x10", b"1 2"])
async def test_a_malformed_length_is_refused(surface: Surface, length: bytes) -> None:
    answer, _ = await exchange(surface, HEAD + b"content-length: %b\r\n\r\n" % length)
    assert (answer.status, answer.json) == (400, UNPARSED)


@pytest.mark.parametrize(
    "lines",
    [
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    ],
)
async def test_an_ambiguous_length_is_refused(surface: Surface, lines: bytes) -> None:
    """Repeated lengths that agree too: no client needs them, and they are how requests are smuggled."""
    answer, client = await exchange(surface, HEAD + lines + b"\r\n12345")
    assert (answer.status, answer.json) == (400, UNPARSED)
    assert await client.is_over()


async def test_a_body_that_ends_before_its_length_is_refused(surface: Surface) -> None:
    client = await surface.connect()
    await client.stream.send_all(HEAD + b"content-length: %d\r\n\r\n%b" % (len(CALL) + 1, CALL))
    await client.stream.send_eof()
    answer = await client.receive()
    assert (answer.status, answer.json) == (400, UNPARSED)
    assert surface.app.door.budget.used == 0


async def test_what_comes_after_a_body_is_the_next_request(surface: Surface) -> None:
    answer, client = await exchange(surface, HEAD + b"content-length: %d\r\n\r\n%b{}" % (len(CALL), CALL))
    assert answer.json["result"] == hex(CHAIN_ID)
    assert (await client.receive()).status == 400  # "{}" is no request line


async def test_bodies_outside_rpc_never_cost_budget(start: Start) -> None:
    surface = await start(settings={"byte_budget": 1})
    answer = await surface.post("/api/health", b"x" * 1000)
    assert (answer.status, answer.json) == (404, {"errors": {"detail": "Not Found"}})
    assert surface.app.door.budget.refused == 0
    assert (await surface.get("/api/health")).status == 200


async def test_too_large_a_body_outside_rpc_is_told_in_other_words(surface: Surface) -> None:
    client = await surface.connect()
    raw = b"POST /api/health HTTP/1.1\r\nhost: node\r\ncontent-length: 8000001\r\n\r\n"
    answer = await client.exchange(raw)
    assert (answer.status, answer.json) == (413, {"errors": {"detail": "Request Entity Too Large"}})


@pytest.mark.parametrize(
    "type_", ["application/json", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded", ""]
)
async def test_json_is_json_whatever_its_content_type_says(surface: Surface, type_: str) -> None:
    answer = await surface.post("/rpc/devnet", CALL, {"content-type": type_})
    assert answer.json["result"] == hex(CHAIN_ID)


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        ("application/x-www-form-urlencoded", b"method=eth_chainId&id=1&jsonrpc=2.0"),
        ("multipart/form-data; boundary=b", b'--b\r\ncontent-disposition: form-data; name="method"\r\n\r\nx\r\n--b--'),
        ("text/plain", b"eth_chainId"),
    ],
)
async def test_forms_are_not_read_as_requests(surface: Surface, type_: str, body: bytes) -> None:
    answer = await surface.post("/rpc/devnet", body, {"content-type": type_})
    assert (answer.status, answer.json) == (400, UNPARSED)


async def test_no_body_at_all_is_no_json(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b"")
    assert (answer.status, answer.json) == (400, UNPARSED)


async def test_a_client_that_accepts_no_json_gets_json(surface: Surface) -> None:
    """RFC 9110, 12.4.1: an answer may disregard Accept, and clients that send a careless one are many."""
    answer = await surface.post("/rpc/devnet", CALL, {"accept": "text/html"})
    assert (answer.status, answer["content-type"]) == (200, "application/json; charset=utf-8")


@pytest.mark.parametrize("text", [b"\xff", b'{"id":1,"method":"\xc3"}', b'{"id":"\xed\xa0\x80","method":"x"}'])
async def test_what_is_no_utf8_is_no_json(surface: Surface, text: bytes) -> None:
    answer = await surface.post("/rpc/devnet", text)
    assert (answer.status, answer.json) == (400, UNPARSED)
