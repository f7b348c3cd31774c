from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.routing import filter_ids
from lasso_trio.routing.filter_ids import LONGEST, FilterId, former_tag_of, read, tag_of, wrap

TAG = tag_of("default", 1, "1:eth.example.com:0123456789ab")
GETH = b'"0xf90c3a5b00d1e2f30415263748596a7b"'

hex_ids = st.from_regex(r"0x[0-9a-f]{1,64}", fullmatch=True).map(lambda text: f'"{text}"'.encode())
texts = st.text(st.characters(codec="ascii", exclude_characters='"\\', min_codepoint=32), max_size=80)
other_ids = texts.map(lambda text: f'"{text}"'.encode()) | st.integers(0, 2**64).map(lambda n: b"%d" % n)


def told(upstream: bytes) -> str:
    ours = wrap(TAG, upstream)
    assert ours is not None
    return ours


@given(hex_ids | other_ids)
def test_a_wrapped_id_says_whose_it_is_and_what_its_node_calls_it(upstream: bytes) -> None:
    assert read(told(upstream)) == FilterId(TAG, upstream)


@given(hex_ids | other_ids)
def test_it_survives_whoever_reads_it_as_a_number_or_pads_it_or_shouts_it(upstream: bytes) -> None:
    ours = told(upstream)
    assert hex(int(ours, 16)) == ours
    for spelling in (f"0x00{ours[2:]}", ours.upper(), f"0x{ours[2:].upper()}"):
        assert read(spelling) == FilterId(TAG, upstream)


def test_an_id_of_128_bits_makes_one_below_2_to_the_256() -> None:
    assert int(told(b'"0x%b"' % (b"f" * 32)), 16) < 2**256


def test_leading_zeros_of_a_nodes_own_id_are_kept() -> None:
    found = read(told(b'"0x0001"'))
    assert found is not None
    assert found.upstream == b'"0x0001"'


@pytest.mark.parametrize(
    "upstream", [b"null", b"true", b"{}", b"[]", b"-1", b"1.5", b'"a\\n"', b'"%b"' % (b"x" * LONGEST)]
)
def test_what_is_no_filters_id_is_not_wrapped(upstream: bytes) -> None:
    assert wrap(TAG, upstream) is None


def test_the_longest_id_is_read_back() -> None:
    longest = b'"%b"' % (b"x" * (LONGEST - 2))
    assert read(told(longest)) == FilterId(TAG, longest)


@given(st.data())
def test_a_mistyped_id_is_none_of_ours(data: st.DataObject) -> None:
    ours = told(GETH)
    place = data.draw(st.integers(2, len(ours) - 1))
    digit = data.draw(st.sampled_from("0123456789abcdef").filter(lambda d: d != ours[place]))
    assert read(ours[:place] + digit + ours[place + 1 :]) is None


@pytest.mark.parametrize("text", ["", "0x", "0x0", "0x1", "latest", GETH.decode().strip('"'), "0xzz", "1" * 60])
def test_foreign_ids_are_none_of_ours(text: str) -> None:
    assert read(text) is None
    assert read(told(GETH)[:-1]) is None


@pytest.mark.parametrize(
    ("kind", "rest"), [("2", "6e756c6c"), ("2", "abc"), ("2", "22307831ff"), ("2", "2230783122"), ("3", "ab")]
)
def test_a_check_that_holds_does_not_make_sense_of_nonsense(kind: str, rest: str) -> None:
    assert read(filter_ids._sealed(kind, TAG, rest)) is None


def test_each_profile_chain_and_instance_has_its_tag() -> None:
    variants = [("b", 1, "i"), ("a", 2, "i"), ("a", 1, "j")]
    assert len({tag_of("a", 1, "i"), *(tag_of(*each) for each in variants)}) == 4
    assert len({tag_of("a", 1, "i"), *(former_tag_of("a", 1, "i", transport) for transport in ("http", "ws"))}) == 3


def test_the_tag_does_not_move_from_one_version_to_the_next() -> None:
    """Clients hold ids across a restart."""
    assert TAG == "640edc6663"
    assert former_tag_of("default", 1, "1:eth.example.com:0123456789ab", "http") == "4fe15df0ac"
