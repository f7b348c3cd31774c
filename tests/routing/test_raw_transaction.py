"""A transaction's hash without a node: compared with what eth-account says of transactions it signed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.routing.raw_transaction import hash_in, hashed_part, keccak256

ACCOUNT = Account.from_key("0x" + "11" * 32)
TO = "0x" + "22" * 20
FEES = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}
LIST = [{"address": TO, "storageKeys": ["0x" + "01" * 32]}]
FIELDS: dict[str, dict[str, Any]] = {
    "legacy": {"gasPrice": 10**10},
    "access list": {"type": 1, "gasPrice": 10**10, "accessList": LIST},
    "fee market": {"type": 2} | FEES,
    "long data": {"type": 2, "data": "0x" + "ab" * 70_000} | FEES,
    "blob": {"type": 3, "maxFeePerBlobGas": 1, "blobVersionedHashes": ["0x01" + "00" * 31]} | FEES,
}


def params(raw: bytes) -> bytes:
    return json.dumps(["0x" + raw.hex()]).encode()


def signed(fields: dict[str, Any]) -> Any:
    return ACCOUNT.sign_transaction({"chainId": 1, "nonce": 5, "to": TO, "value": 1, "gas": 21_000} | fields)


def rlp_list(body: bytes) -> bytes:
    if len(body) < 56:
        return bytes([0xC0 + len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([0xF7 + len(length)]) + length + body


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS.keys())
def test_the_hash_is_the_one_that_everybody_else_has(fields: dict[str, Any]) -> None:
    its = signed(fields)
    assert hash_in(params(bytes(its.raw_transaction))) == "0x" + bytes(its.hash).hex()


@pytest.mark.parametrize("version", [b"", b"\x01"], ids=["EIP-4844", "EIP-7594"])
def test_the_hash_of_a_blob_transaction_leaves_out_what_travels_with_it(version: bytes) -> None:
    its = signed(FIELDS["blob"])
    inner = bytes(its.raw_transaction)[1:]
    blobs = rlp_list(b"\xba\x02\x00\x00" + bytes(131_072))
    wrapped = b"\x03" + rlp_list(inner + version + blobs + rlp_list(b"") + rlp_list(b""))
    assert hash_in(params(wrapped)) == "0x" + bytes(its.hash).hex()


def test_an_authorisation_list_is_hashed_like_the_others() -> None:
    raw = b"\x04" + rlp_list(b"\x01\x02\x03")
    assert hash_in(params(raw)) == "0x" + keccak256(raw).hex()


def test_keccak_is_ethereums() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x02",
        b"\x02\x80",
        b"\x02\xf8",  # the list's length is missing
        b"\x02\xc2\x01",  # cut off
        b"\x02\xc1\x01\x01",  # something behind it
        b"\xc2\x01",
        b"\xc1\x01\x01",
        b"\x80",
        b"\x71\xc0",  # a type that its chain hashes in its own way
        b"\x03\xc2\xc5\x01",  # a wrapper whose transaction is longer than itself
    ],
)
def test_of_what_is_no_known_transaction_nothing_is_said(raw: bytes) -> None:
    assert hash_in(params(raw)) is None


def test_an_empty_blob_transaction_is_hashed_whole() -> None:
    assert hashed_part(b"\x03\xc0") == b"\x03\xc0"


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"{}",
        b"[1]",
        b"nonsense",
        b'["c0"]',
        b'["0xc"]',
        b'["0xc0 "]',
        b'["0xzz"]',
        b'["0xc0","0xc0"]',
        b'["\xff"]',
    ],
)
def test_params_that_hold_no_bytes_have_no_hash(text: bytes) -> None:
    assert hash_in(text) is None


def test_how_the_digits_are_spelt_does_not_matter() -> None:
    assert hash_in(b'["0xC10A"]') == hash_in(b' [ "0xc10a" ] ') is not None


@given(st.binary(max_size=40))
def test_whatever_comes_is_a_part_of_it_or_nothing(raw: bytes) -> None:
    part = hashed_part(raw)
    assert part is None or (part and part[0] == raw[0] and part[1:] in raw)
