from __future__ import annotations

from pathlib import Path

import pytest

from lasso_trio.errors import ConfigError
from lasso_trio.loadtest.order import Order, Request

URL = "http://me:secret-of-mine@target.example/v1/0123456789abcdef0123456789abcdef"


def order(**options: object) -> Order:
    return Request(URL, **options).order()  # type: ignore[arg-type]


def test_one_call_without_options() -> None:
    made = order()
    assert made.bodies == (b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}',)
    assert (made.calls, made.clients, made.rate, made.duration_s) == (1_000, 10, None, None)


def test_method_and_params_are_put_in() -> None:
    assert b'"eth_getBalance","params":["0x1"]' in order(method="eth_getBalance", params='["0x1"]').bodies[0]


def test_a_duration_alone_has_no_number_of_calls() -> None:
    assert order(duration=5.0).calls == 10**9
    assert order(duration=5.0, calls=7).calls == 7


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ('{"id":1,"method":"a"}\n', 1),
        ('{\n "id": 1,\n "method": "a"\n}', 1),
        ('[{"id":1,"method":"a"},{"id":2,"method":"b"}]', 1),
        ('{"id":1,"method":"a"}\n\n[{"id":2,"method":"b"}]\n', 2),
    ],
)
def test_a_file_is_one_request_or_one_on_each_line(tmp_path: Path, text: str, bodies: int) -> None:
    (tmp_path / "r").write_text(text)
    assert len(order(request=tmp_path / "r").bodies) == bodies


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"id":1}', '{"id":1,"method":"a"}\nno'])
def test_a_file_that_is_neither_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(ConfigError, match="neither"):
        order(request=tmp_path / "r")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        Request("ftp://x", params="{", header=("no colon",)).order()
    assert len(raised.value.problems) == 3


def test_headers_are_sent_and_nothing_secret_is_shown() -> None:
    request = Request(URL, header=("Authorization: Bearer secret-of-mine",))
    made = request.order()
    assert b"authorization: Bearer secret-of-mine\r\n" in made.endpoint.head.replace(b"Authorization", b"authorization")
    assert "secret" not in f"{request!r} {made!r} {made.endpoint.origin}"
    assert "0123456789abcdef" not in f"{request!r} {made!r} {made.endpoint.origin}"
