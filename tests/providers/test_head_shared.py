"""A head whose instance another process looks at."""

from __future__ import annotations

from lasso_trio.providers.head import ChainCheck, Head


def test_who_adopts_a_head_has_it_whole() -> None:
    theirs, mine = Head(check=ChainCheck.RIGHT, safe=90, finalized=80), Head(check=ChainCheck.PENDING)
    theirs.tell(100, 50.0, 12.0, age_s=3.0)
    assert mine.adopt(theirs.news())
    assert mine.news() == theirs.news()
    assert mine.oldest_s(60.0) == theirs.oldest_s(60.0) == 13.0
    assert mine.fresh(60.0)


def test_only_another_verdict_on_the_chain_concerns_plans() -> None:
    theirs, mine = Head(check=ChainCheck.RIGHT), Head(check=ChainCheck.RIGHT)
    theirs.tell(100, 50.0, 12.0)
    assert not mine.adopt(theirs.news())
    theirs.check, theirs.told_chain = ChainCheck.WRONG, 5
    assert mine.adopt(theirs.news())
    assert mine.told_chain == 5


def test_what_is_told_is_passed_on_and_what_is_adopted_is_not() -> None:
    heard: list[int | None] = []
    head = Head()
    head.on_news = lambda: heard.append(head.height)
    head.tell(100, 50.0, 12.0)
    head.adopt(head.news())
    head.touched()
    assert heard == [100, 100]
