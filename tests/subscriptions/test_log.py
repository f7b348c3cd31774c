from __future__ import annotations

import json

import pytest

from lasso_trio.subscriptions.log import BadLog, read, read_all

BLOCK = "0x" + "ab" * 32
LOG = b'{"address":"0x1","blockHash":"0x%b","logIndex":"0xA","removed":false,"data":"0x", "odd":1.50}' % (b"AB" * 32)


def test_a_log_is_named_by_its_block_and_index_and_passed_on_as_it_came() -> None:
    log = read(LOG)
    assert (log.block, log.index, log.removed) == (BLOCK, 10, False)
    assert log.raw is LOG


def test_a_log_that_is_taken_back_differs_in_removed_alone() -> None:
    again = read(LOG).as_removed()
    assert json.loads(again) == json.loads(LOG) | {"removed": True}
    assert b"1.50" in again
    assert read(again).removed


def test_removed_is_added_where_it_was_left_out() -> None:
    bare = b'{"blockHash":"0x%b","logIndex":"0x0"}' % (b"ab" * 32)
    assert not read(bare).removed
    assert json.loads(read(bare).as_removed())["removed"] is True


@pytest.mark.parametrize(
    "raw",
    [
        b"7",
        b"{}",
        LOG.replace(b'"0xA"', b'"x"'),
        LOG.replace(b'"0xA"', b'"-0x1"'),
        LOG.replace(b"AB", b""),
        LOG.replace(b"AB", b"],"),
        LOG.replace(b"AB", b"zz"),
    ],
)
def test_what_is_no_log_of_a_mined_block_is_refused(raw: bytes) -> None:
    with pytest.raises(BadLog):
        read(raw)


def test_a_blocks_logs_are_read_one_by_one() -> None:
    (log,) = read_all(b"[%b]" % LOG, BLOCK)
    assert log.raw == LOG
    assert read_all(b"[]", BLOCK) == []


@pytest.mark.parametrize(("raw", "block"), [(b"null", BLOCK), (b"{}", BLOCK), (b"[%b]" % LOG, "0x" + "cd" * 32)])
def test_an_answer_about_anything_else_is_refused(raw: bytes, block: str) -> None:
    with pytest.raises(BadLog):
        read_all(raw, block)
