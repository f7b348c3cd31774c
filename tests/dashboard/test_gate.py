from __future__ import annotations

import re
from collections import Counter
from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import LONGEST_PASSWORD, Settings
from lasso_trio.dashboard.access import COOKIE
from lasso_trio.dashboard.attempts import EACH
from lasso_trio.dashboard.gate import HEADERS, MOST_FORM_BYTES, _safe_next, is_ours
from tests.dashboard.webs import Web, web_of

PASSWORD = "correct horse"
API = "/dashboard/api/profiles"


def locked(**settings: object) -> Web:
    return web_of(dashboard_password=Secret(PASSWORD), secret_key_base=Secret("k" * 64), **settings)


async def enter(web: Web, password: str = PASSWORD, **headers: str) -> tuple[int, str]:
    """Status, and the cookie as it was set."""
    form = {"password": password, "next": "/dashboard/public"}
    answer = await web.client.post("/dashboard/login", form=form, headers=headers)
    return answer.status_code, answer.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "path", ["/dashboard", "/dashboard/login", API, "/dashboard/nope/nope", "/dashboard/static/x/y"]
)
async def test_every_answer_keeps_foreign_pages_out(path: str) -> None:
    answer = await web_of().client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "access-control-allow-origin" not in answer.headers
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_other_answers_are_as_they_were() -> None:
    answer = await web_of().client.get("/api/health")
    assert "content-security-policy" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_without_a_password_everybody_passes() -> None:
    assert (await web_of().client.get(API)).status_code == 200
    assert (await web_of().client.get("/dashboard/login")).headers["location"] == "/dashboard"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dashboard", 303),
        ("/dashboard/public", 303),
        (API, 401),
        ("/dashboard/events/public", 401),
        ("/api/health", 200),
    ],
)
async def test_with_one_nobody_passes_without_a_session(path: str, status: int) -> None:
    answer = await locked().client.get(path)
    assert answer.status_code == status
    if status == 303:
        assert answer.headers["location"] == f"/dashboard/login?next={path}"


async def test_the_login_page_and_the_files_are_free() -> None:
    web = locked()
    answer = await web.client.get("/dashboard/login")
    assert answer.status_code == 200
    page = await answer.get_data(as_text=True)
    (style, *_) = re.findall(r'href="(/dashboard/static/[^"]+css)"', page)
    assert (await web.client.get(style)).status_code == 200


async def test_a_try_or_a_logout_needs_a_session_too() -> None:
    answer = await locked().client.post("/dashboard/api/try", json={})
    assert answer.status_code == 401
    assert (await locked().client.post("/dashboard/logout")).status_code == 401


async def test_who_logs_in_gets_a_cookie_that_scripts_and_other_sites_do_not() -> None:
    web = locked()
    status, cookie = await enter(web)
    assert status == 303
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/dashboard" in cookie
    assert "Secure" not in cookie
    assert (await web.client.get(API)).status_code == 200


@pytest.mark.parametrize("letter", ["x", "%", "é", "🔑"])
async def test_the_longest_password_that_is_taken_at_the_start_opens(letter: str) -> None:
    longest = letter * (LONGEST_PASSWORD // len(letter.encode()))
    settings = Settings.from_env({"LASSO_DASHBOARD_PASSWORD": longest})
    web = web_of(dashboard_password=settings.dashboard_password)
    assert (await enter(web, longest))[0] == 303
    assert (await enter(web, longest[:-1]))[0] == 401


async def test_no_more_is_taken_of_a_stranger_than_a_login_needs() -> None:
    web, form = locked(), "application/x-www-form-urlencoded"
    body, path = b"password=" + b"x" * MOST_FORM_BYTES, "/dashboard/login"
    assert (await web.client.post(path, data=body, headers={"content-type": form})).status_code == 413
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + b"x" * 9000 + b"\r\n--b--\r\n"
    files = {"content-type": "multipart/form-data; boundary=b"}
    assert (await web.client.post(path, data=body, headers=files)).status_code == 415


async def test_who_logs_out_is_out() -> None:
    web = locked()
    await enter(web)
    answer = await web.client.post("/dashboard/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login")
    assert (await web.client.get(API)).status_code == 401


async def test_a_wrong_password_is_refused_and_logged_without_it() -> None:
    web = locked()
    with capture_logs() as logs:
        status, cookie = await enter(web, "wrong-password")
    assert (status, cookie) == (401, "")
    assert [line["event"] for line in logs] == ["dashboard.login_refused"]
    assert "wrong-password" not in str(logs)


async def test_after_some_wrong_ones_the_right_one_must_wait_as_well() -> None:
    web = locked()
    with capture_logs():
        for _ in range(EACH):
            await enter(web, "wrong-password")
    answer = await web.client.post("/dashboard/login", form={"password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def test_tries_that_hold_back_their_bodies_are_counted_like_all_others() -> None:
    web, begun = locked(), 4 * EACH
    form = {"content-type": "application/x-www-form-urlencoded"}
    answers: list[int] = []

    async def slowly(go: trio.Event) -> None:
        async with web.client.request("/dashboard/login", method="POST", headers=form) as connection:
            await go.wait()
            await connection.send(b"password=wrong")
            await connection.send_complete()
        answers.append((await connection.as_response()).status_code)

    with capture_logs():
        async with trio.open_nursery() as nursery:
            go = trio.Event()
            for _ in range(begun):
                nursery.start_soon(slowly, go)
            await trio.testing.wait_all_tasks_blocked()
            go.set()
    assert Counter(answers) == {401: EACH, 429: begun - EACH}
    assert web.dashboard.pages.gate.access.attempts.wait_s("192.0.2.1", trio.current_time()) == 0.0


@pytest.mark.parametrize(("proxies", "believed"), [((ip_network("192.0.2.0/24"),), True), ((), False)])
async def test_a_proxy_is_believed_if_it_is_trusted(proxies: tuple[IPv4Network, ...], believed: bool) -> None:
    web = locked(trusted_proxies=proxies)
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    said: dict[str, Any] = {"headers": headers, "scope_base": {"client": ("192.0.2.1", 4711)}}
    answer = await web.client.post("/dashboard/login", form={"password": PASSWORD}, **said)
    assert ("Secure" in answer.headers["set-cookie"]) is believed
    with capture_logs() as logs:
        await web.client.post("/dashboard/login", form={"password": "wrong-password"}, **said)
    assert logs[0]["client"] == ("203.0.113.9" if believed else "192.0.2.1")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "http://localhost"}, True),
        ({"origin": "http://localhost", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
    ],
)
async def test_posts_come_from_our_own_pages_only(headers: dict[str, str], allowed: bool) -> None:
    answer = await web_of().client.post("/dashboard/api/try", json={}, headers=headers)
    assert (answer.status_code != 403) is allowed


async def test_there_is_no_preflight_for_others() -> None:
    answer = await web_of().client.options(API)
    assert answer.status_code == 405
    assert "access-control-allow-headers" not in answer.headers


@pytest.mark.parametrize(
    "given",
    [
        "",
        "https://evil.example",
        "//evil.example",
        "/dashboardx",
        "/dashboard/../admin",
        "/dashboard\\x",
        "/dashboard/login",
        "/dashboard/\r\nx: y",
    ],
)
def test_after_the_login_nobody_is_sent_elsewhere(given: str) -> None:
    assert _safe_next(given) == "/dashboard"


def test_a_page_of_ours_is_a_good_place_to_go() -> None:
    assert _safe_next("/dashboard/public") == "/dashboard/public"
    assert is_ours("/dashboard")
    assert not is_ours("/dashboards")
