from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.config.secret import Secret
from lasso_trio.dashboard import pages
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.feed import MOST_VIEWERS
from lasso_trio.dashboard.series_page import Question, series_page
from lasso_trio.routing.routed_chain import RoutedChain
from tests.dashboard.boards import (
    KEY,
    answered,
    collect,
    directory_of,
    exchange_of,
    refusal,
    request_of,
    served_by,
)
from tests.dashboard.clusters import cluster_of, figures, responds
from tests.dashboard.webs import Web, web_of

PATHS = [
    "/dashboard",
    "/dashboard/public",
    "/dashboard/api/profiles",
    "/dashboard/api/system",
    "/dashboard/api/public/snapshot",
    "/dashboard/api/public/issues",
    "/dashboard/api/public/streams",
    "/dashboard/api/public/races",
    "/dashboard/api/public/chains/eth",
    "/dashboard/api/public/chains/mainnet/providers/alpha",
    "/dashboard/api/public/metrics/eth",
    "/dashboard/api/public/series/eth",
    "/dashboard/api/default/series/eth?range=24h&provider=alpha&transport=http&method=eth_call",
]


def web_scope(path: str) -> Any:  # noqa: ANN401
    return {
        "type": "http",
        "asgi": {},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "extensions": {},
        "state": {},
    }


def busy(**settings: Any) -> Web:  # noqa: ANN401
    """With keys in everything that others wrote."""
    web = web_of(admin_token=Secret(KEY), secret_key_base=Secret(KEY * 4), **settings)
    board, now = web.board, trio.current_time()
    answered(board, "alpha:http", 12, 0.02, now=now)
    collect(board, now)
    error = refusal(f"https://alpha.example/v2/{KEY} said ?apikey={KEY} Bearer {KEY}")
    for exchange in (exchange_of(board, now), exchange_of(board, now, f"x?token={KEY}")):
        board.activity.take(exchange, request_of(), served_by(board, None, error=error), now, "http")
    board.issues.add("keeper.ended", "warning", {"instance": "1:alpha:0", "reason": f"wss://alpha.example/{KEY}"})
    return web


@pytest.mark.parametrize("path", PATHS)
async def test_every_address_answers_and_no_key_is_in_any(path: str) -> None:
    answer = await busy().client.get(path)
    assert answer.status_code == 200
    text = await answer.get_data(as_text=True)
    assert len(text) > 20
    assert KEY not in text.replace(f"x?token={KEY}", "")
    assert KEY not in str(answer.headers)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dashboard/api/nope/snapshot", 404),
        ("/dashboard/events/nope", 404),
        ("/dashboard/api/public/chains/nope", 404),
        ("/dashboard/api/public/chains/eth/providers/nope", 404),
        ("/dashboard/api/public/series/eth?provider=nope", 404),
        ("/dashboard/api/public/series/eth?range=1y", 400),
        ("/dashboard/static/nope/js/main.js", 404),
    ],
)
async def test_what_there_is_not_is_said_as_json(path: str, status: int) -> None:
    answer = await web_of().client.get(path)
    assert answer.status_code == status
    assert "error" in await answer.get_json()


async def test_the_cluster_is_shown_where_there_is_one() -> None:
    web = web_of()
    path = "/dashboard/api/public/cluster/eth"
    assert (await web.client.get(path)).status_code == 404
    assert not (await web.json("/dashboard/api/profiles"))["features"]["cluster"]
    web.board.cluster = cluster_of()
    responds(web.board.cluster, "10.0.0.2", "eu-1", figures([0.1] * 50, 70))
    assert (await web.json("/dashboard/api/profiles"))["features"]["cluster"]
    assert (await web.json(path))["chains"][0]["total_calls"] == 120
    assert (await web.json(f"{path}?node=eu-1"))["chains"][0]["total_calls"] == 70
    assert (await web.client.get(f"{path}?node=nobody")).status_code == 404
    assert (await web.json("/dashboard/api/public/snapshot"))["cluster"]["responding"] == 2


async def test_an_unknown_profile_leads_to_the_first_page() -> None:
    answer = await web_of().client.get("/dashboard/nope")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    page = await (await web_of(directory_of("public", "team")).client.get("/dashboard/team")).get_data(as_text=True)
    assert "team" in page


async def test_files_may_be_kept_for_ever_and_are_sent_packed_to_who_can_read_it() -> None:
    web = web_of()
    assets = web.dashboard.pages.assets
    path, asset = next((p, a) for p, a in assets.files.items() if a.packed is not None)
    for accepted, body in (("gzip, br", asset.packed), ("identity", asset.body)):
        answer = await web.client.get(f"{assets.prefix}/{path}", headers={"accept-encoding": accepted})
        assert await answer.get_data() == body
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["vary"] == "accept-encoding"
        assert ("content-encoding" in answer.headers) is (accepted != "identity")


async def test_the_same_question_within_a_second_has_one_answer(autojump_clock: MockClock) -> None:
    web = web_of()
    first = await web.json("/dashboard/api/public/snapshot")
    answered(web.board, "alpha:http", 5, 0.02, now=trio.current_time())
    assert await web.json("/dashboard/api/public/snapshot") == first
    await trio.sleep(1.1)
    assert (await web.json("/dashboard/api/public/snapshot"))["headline"]["calls_total"] == 5


async def test_the_large_table_is_made_once_in_five_seconds_whoever_asks(autojump_clock: MockClock) -> None:
    web = web_of()
    path = "/dashboard/api/public/metrics/eth"
    first = await web.json(path)
    await trio.sleep(4.9)
    assert await web.json(f"{path}?again") == first
    await trio.sleep(0.2)
    assert (await web.json(path))["at"] != first["at"]


async def test_a_line_is_made_once_for_all_who_ask_for_it_and_another_for_each_question(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, made = web_of(), list[Question]()

    def counted(board: Board, routed: RoutedChain, asked: Question) -> dict[str, Any]:
        made.append(asked)
        return series_page(board, routed, asked)

    monkeypatch.setattr(pages, "series_page", counted)
    path = "/dashboard/api/public/series/eth"
    for _ in range(5):
        assert (await web.json(f"{path}?provider=alpha"))["provider"] == "alpha"
        assert (await web.json(f"{path}?provider=beta"))["provider"] == "beta"
    assert made == [Question(provider="alpha"), Question(provider="beta")]
    assert (await web.client.get(f"{path}?provider=nobody")).status_code == 404


async def test_snapshots_come_as_events_until_the_node_drains(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    web = web_of()
    nursery.start_soon(web.dashboard.run)
    async with web.client.request("/dashboard/events/public") as connection:
        await connection.send_complete()
        text = b""
        while text.count(b"event: snapshot") < 3:
            text += await connection.receive()
        assert connection.status_code == 200
        assert connection.headers["content-type"].startswith("text/event-stream")
        assert len(web.dashboard.feed.viewers) == 1
        web.dashboard.close()
    assert b"event: bye" in connection.response_data
    assert not web.dashboard.feed.viewers
    assert not web.board.activity.watching


async def test_a_viewer_that_is_cut_off_while_it_is_written_to_leaves_nothing_behind(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    web, messages = web_of(), [{"type": "http.request", "body": b"", "more_body": False}]
    nursery.start_soon(web.dashboard.run)

    async def receive() -> Any:  # noqa: ANN401
        if not messages:
            await trio.sleep_forever()
        return messages.pop()

    async def send(message: Any) -> None:  # noqa: ANN401
        if b"snapshot" in message.get("body", b""):
            await trio.sleep_forever()

    scope = web_scope("/dashboard/events/public")
    with trio.move_on_after(5) as cut:
        await web.app(scope, receive, send)
    assert cut.cancelled_caught
    assert not web.dashboard.feed.viewers


async def test_too_many_viewers_are_asked_to_come_later() -> None:
    web = web_of()
    web.dashboard.feed.most = 0
    answer = await web.client.get("/dashboard/events/public")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert MOST_VIEWERS >= 50


async def test_a_call_that_cannot_be_read_is_refused() -> None:
    client = web_of().client
    not_utf8 = b'{"chain":"eth","method":"eth_call","params":["\xff"]}'
    for body in (b"{", b"[]", b'{"chain":1}', b"[" * 100_000, not_utf8):
        answer = await client.post("/dashboard/api/try", data=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
    answer = await client.post("/dashboard/api/try", data=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


def test_the_configuration_of_these_tests_holds_the_key() -> None:
    provider = directory_of().default.profile.chains[0].providers[0]
    assert provider.url is not None
    assert KEY in provider.url.reveal()
