"""Every page and every API of a node, as a browser takes it: nothing is guessed, framed, or run that is not ours."""

from __future__ import annotations

import re

import pytest

from lasso_trio.config.secret import Secret
from lasso_trio.dashboard.gate import HEADERS
from lasso_trio.devnet import Faults
from tests.surface.conftest import Response, Start

PAGES = ("/dashboard", "/dashboard/login", "/dashboard/public", "/dashboard/nope")
APIS = (
    *("/", "/api/health", "/api/ready", "/api/chains", "/api/metrics/devnet", "/api/cluster", "/metrics"),
    *("/nope", "/api/nope", "/api/metrics/nope", "/admin/providers"),
)
TYPES = re.compile(r"(?:application/json|text/plain|text/html|application/openmetrics-text)(?:;|$)")
TELLING = ("server", "x-powered-by", "via")


def check(answer: Response) -> None:
    assert answer["x-content-type-options"] == "nosniff"
    assert TYPES.match(answer["content-type"]), answer.fields
    assert not [name for name in TELLING if name in answer]


@pytest.mark.parametrize("path", [*PAGES, *APIS])
async def test_every_answer_says_what_it_is_and_not_who_we_are(start: Start, path: str) -> None:
    node = await start(settings={"admin_token": Secret("t" * 20)}, alpha=Faults())
    for fields in ({}, {"origin": "https://evil.example"}):
        check(await node.get(path, fields=fields))


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_the_policy_and_no_script_of_its_own(start: Start, path: str) -> None:
    answer = await (await start(alpha=Faults())).get(path)
    for name, value in HEADERS.items():
        assert answer[name] == value
    policy = answer["content-security-policy"]
    assert "unsafe" not in policy
    for directive in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert not re.search(rb"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|javascript:", answer.body)


@pytest.mark.parametrize("path", APIS)
async def test_no_api_answers_with_html(start: Start, path: str) -> None:
    answer = await (await start(alpha=Faults())).get(path)
    assert not answer["content-type"].startswith("text/html")


async def test_what_a_client_wrote_comes_back_as_json_only(start: Start) -> None:
    node = await start(alpha=Faults())
    for answer in (
        await node.post("/rpc/devnet", b'{"jsonrpc":"2.0","id":"<script>","method":"<script>"}'),
        await node.post("/rpc/<script>", b"<script>"),
        await node.get("/api/metrics/<script>"),
    ):
        assert answer["content-type"].startswith("application/json")
