"""What a lone process shows is what it serves."""

from __future__ import annotations

from lasso_trio.server.whole import Alone
from tests.dashboard.boards import directory_of


async def test_it_is_the_directory_itself_and_there_are_no_workers() -> None:
    directory = directory_of()
    alone = Alone(lambda: directory)
    assert alone.directory() is await alone.fresh() is directory
    assert alone.usages() == {}
