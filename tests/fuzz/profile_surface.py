"""Profile files as operators write them: every problem is a ConfigError that names the file, and nothing else comes."""

from __future__ import annotations

from lasso_trio.config.loader import load_profile_text
from lasso_trio.errors import ConfigError
from tests.fuzz.surface import Finding, Surface

SEEDS = (
    b"chains:\n  eth:\n    chain_id: 1\n    providers:\n      - {id: a, url: 'http://a.example'}\n",
    b"name: A\nslug: public\nrps_limit: 5\nchains:\n  eth:\n    chain_id: 1\n    providers: [{id: a, url: 'https://${K}'}]\n",
    b"---\nname: A\nslug: b\ndefault_rps_limit: 100\n---\nchains: {e: {chain_id: 0x1, providers: [{id: a, ws_url: 'wss://a'}]}}\n",
    b"chains:\n  e:\n    chain_id: 1\n    block_time_ms: 12000\n    selection: {max_lag_blocks: 1}\n    providers:\n"
    b"      - id: a\n        url: http://a\n        priority: 2\n"
    b"        capabilities: {error_rules: [{code: 1, category: rate_limit}]}\n",
)
TOKENS = (
    *(
        b": ",
        b"- ",
        b"\n",
        b"\n  ",
        b"\t",
        b"#",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/object:os.system ",
        b"|\n",
        b">-\n",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"'",
        b'"',
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b"? ",
        b"${K}",
        b"${",
        b"$${K}",
        b"${NO}",
    ),
    *(b"chains:", b"providers:", b"chain_id: ", b"null", b"~", b"yes", b".inf", b".nan", b"1_000", b"0o7", b"12:30:45"),
    *(b"url: ", b"id: ", b"routing: {", b"hedge: ", b"cache: ", b"\xef\xbb\xbf", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8"),
)


def feed(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    try:
        load_profile_text(text, "<fuzz>", {"K": "key.example"})
    except ConfigError as error:
        if not error.problems or any(problem.file != "<fuzz>" for problem in error.problems):
            raise Finding("a problem without its file") from error
        return error.problems[0].what[:24]
    return "taken"


PROFILES = Surface("profile", SEEDS, TOKENS, feed)
