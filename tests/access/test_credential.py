from __future__ import annotations

import pytest

from lasso_trio.access.credential import LONGEST, masked, shown, taken_out


@pytest.mark.parametrize(
    ("target", "rest", "credential"),
    [
        ("/rpc/eth", "/rpc/eth", None),
        ("/rpc/k/s3cret/eth", "/rpc/eth", "s3cret"),
        ("/rpc/k/a.b-c_d/profile/x/fastest/eth?strategy=y", "/rpc/profile/x/fastest/eth?strategy=y", "a.b-c_d"),
        ("/rpc/k/s3cret", "/rpc/k/s3cret", None),
        ("/rpc/k/s3cret/", "/rpc/k/s3cret/", None),
        ("/rpc/k//eth", "/rpc/k//eth", None),
        ("/rpc/k?x=/y/eth", "/rpc/k?x=/y/eth", None),
        ("/rpc/eth?to=/rpc/k/s/eth", "/rpc/eth?to=/rpc/k/s/eth", None),
        ("/rpc/k/a/k/b/eth", "/rpc/k/b/eth", "a"),
    ],
)
def test_a_credential_is_taken_out_of_the_path(target: str, rest: str, credential: str | None) -> None:
    assert taken_out(target) == (rest, credential)


@pytest.mark.parametrize(
    ("path", "loggable"),
    [
        ("/rpc/eth", "/rpc/eth"),
        ("/rpc/k/s3cret/eth", "/rpc/k/***/eth"),
        ("/ws/rpc/k/s3cret/profile/x/eth", "/ws/rpc/k/***/profile/x/eth"),
        ("/rpc/k/s3cret", "/rpc/k/***"),
        ("/rpc/k/a/rpc/k/b/eth", "/rpc/k/***/rpc/k/***/eth"),
        ("//rpc/k/s3cret/", "//rpc/k/***/"),
    ],
)
def test_in_a_path_that_is_logged_no_credential_is_seen_whether_it_counted_or_not(path: str, loggable: str) -> None:
    assert masked(path) == loggable


@pytest.mark.parametrize(
    ("in_path", "headers", "credential"),
    [
        (None, {}, None),
        (None, {"authorization": "Bearer t"}, "t"),
        (None, {"authorization": "bearer  t "}, "t"),
        (None, {"authorization": "Basic dTpw"}, None),
        (None, {"authorization": "Bearer a b"}, None),
        (None, {"authorization": "Bearer"}, None),
        (None, {"authorization": "Basic dTpw", "x-lasso-api-key": "k"}, "k"),
        (None, {"authorization": "Bearer t", "x-lasso-api-key": "k"}, "k"),
        ("p", {"authorization": "Bearer t", "x-lasso-api-key": "k"}, "p"),
        (None, {"x-lasso-api-key": "k" * (LONGEST + 1)}, None),
    ],
)
def test_the_path_counts_before_the_headers(
    in_path: str | None, headers: dict[str, str], credential: str | None
) -> None:
    assert shown(in_path, headers) == credential
