from __future__ import annotations

from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.logs import LogFilter
from lasso_trio.devnet.watch import MOST_BLOCKS, Watch


def chain() -> Chain:
    return Chain(start_height=50, block_time=None)


def test_new_blocks_are_told_once_each() -> None:
    it = chain()
    watch = Watch(it.view(0.0))
    assert list(watch.news(it.view(0.0))) == []
    it.advance(2)
    assert [header["number"] for header in watch.news(it.view(0.0))] == ["0x33", "0x34"]
    assert list(watch.news(it.view(0.0))) == []


def test_a_reorg_tells_the_new_heads_again() -> None:
    it = chain()
    watch = Watch(it.view(0.0))
    it.reorg(2, 0.0, longer_by=1)
    told = list(watch.news(it.view(0.0)))
    assert [header["number"] for header in told] == ["0x31", "0x32", "0x33"]
    assert [header["hash"] for header in told] == [it.view(0.0).block(n).hash for n in (49, 50, 51)]  # type: ignore[union-attr]


def test_a_reorg_takes_the_old_logs_back_newest_block_first_before_the_new_ones() -> None:
    it = chain()
    watch = Watch(it.view(0.0), LogFilter())
    old = it.view(0.0)
    it.reorg(2, 0.0)
    told = list(watch.news(it.view(0.0)))
    removed = [log for log in told if log["removed"]]
    assert told[: len(removed)] == removed
    assert [log["blockNumber"] for log in removed] == sorted((log["blockNumber"] for log in removed), reverse=True)
    assert removed == [{**log, "removed": True} for n in (50, 49) for log in old.block(n).logs()]  # type: ignore[union-attr]
    assert told[len(removed) :] == [log for n in (49, 50) for log in it.view(0.0).block(n).logs()]  # type: ignore[union-attr]


def test_a_head_that_falls_back_is_not_told_and_not_told_again_when_it_returns() -> None:
    it = chain()
    watch = Watch(it.view(0.0))
    assert list(watch.news(it.view(0.0, lag=5))) == []
    assert list(watch.news(it.view(0.0))) == []


def test_a_reorg_below_a_lagging_head_is_noticed_only_when_the_head_gets_there() -> None:
    it = chain()
    watch = Watch(it.view(0.0, lag=6))
    it.reorg(3, 0.0)
    assert list(watch.news(it.view(0.0, lag=6))) == []
    it.advance(4)
    assert [header["number"] for header in watch.news(it.view(0.0, lag=6))] == ["0x2d", "0x2e", "0x2f", "0x30"]


def test_whoever_is_left_far_behind_gets_the_newest_blocks_only() -> None:
    it = chain()
    watch = Watch(it.view(0.0))
    it.advance(MOST_BLOCKS + 500)
    told = list(watch.news(it.view(0.0)))
    assert len(told) == MOST_BLOCKS
    assert told[-1]["number"] == hex(it.height(0.0))
