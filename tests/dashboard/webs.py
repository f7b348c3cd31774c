"""The dashboard in a web application, and a browser for it."""

from __future__ import annotations

from typing import Any

import attrs
from quart.typing import TestClientProtocol as WebClient
from quart_trio import QuartTrio

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.dashboard import Dashboard
from lasso_trio.routing.directory import Directory
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.web import make_app
from tests.dashboard.boards import board_of


@attrs.define(eq=False)
class Web:
    dashboard: Dashboard
    app: QuartTrio
    client: WebClient

    @property
    def board(self) -> Board:
        return self.dashboard.board

    async def json(self, path: str) -> Any:  # noqa: ANN401
        answer = await self.client.get(path)
        assert answer.status_code == 200, await answer.get_data(as_text=True)
        return await answer.get_json()


def web_of(directory: Directory | None = None, *, service: Any = None, **settings: Any) -> Web:  # noqa: ANN401
    board = board_of(directory, service=service, **settings)
    dashboard = Dashboard.of(board)
    app = make_app(board.node, board.directory, None, LaneLimits(), ByteBudget(), None, [dashboard.pages.serve])
    return Web(dashboard, app, app.test_client())
