"""nginx and Caddy: what they let through and how long they wait, beside what the node does. The shipped nginx is run in
`tests/e2e/test_shipped_nginx.py`.
"""

from __future__ import annotations

import re
from typing import Final

from lasso_trio.config.settings import Settings
from lasso_trio.jsonrpc import methods
from lasso_trio.server.limits import LaneLimits
from tests.deploy.tools import DEPLOY, checked, tool

NGINX: Final = (DEPLOY / "nginx" / "lasso.conf").read_text()
NODES: Final = (DEPLOY / "nginx" / "lasso-nodes.conf").read_text()
CADDYFILE: Final = DEPLOY / "caddy" / "Caddyfile"
CADDY: Final = CADDYFILE.read_text()
LONGEST_CALL_S: Final = max(methods._TIMEOUTS_S)


def seconds(directive: str, text: str) -> int:
    found = re.findall(rf"\b{directive} (\d+)s", text)
    assert found, directive
    return min(map(int, found))


def test_caddy_takes_its_configuration_and_would_write_it_so() -> None:
    caddy = tool("caddy")
    assert "Valid configuration" in checked(caddy, "validate", "--adapter", "caddyfile", "--config", CADDYFILE)
    assert checked(caddy, "fmt", CADDYFILE) == CADDY


def test_the_longest_call_is_waited_for() -> None:
    assert seconds("proxy_read_timeout", NGINX) > LONGEST_CALL_S
    assert seconds("response_header_timeout", CADDY) > LONGEST_CALL_S


def test_the_proxy_lets_go_of_a_kept_connection_before_the_node_does() -> None:
    assert seconds("keepalive_timeout", NODES) < LaneLimits().idle_timeout
    assert seconds("keepalive", CADDY) < LaneLimits().idle_timeout


def test_silence_on_a_websocket_is_borne_for_two_pings() -> None:
    (waits,) = re.findall(r"location /ws/ \{.*?proxy_read_timeout (\d+)s", NGINX, re.DOTALL)
    assert float(waits) > 2 * Settings().ws_ping_s


def test_whatever_body_the_node_would_take_is_let_through() -> None:
    (most,) = re.findall(r"client_max_body_size (\d+)m", NGINX)
    assert int(most) * 2**20 >= Settings().max_body_bytes
    (most,) = re.findall(r"max_size (\d+)MiB", CADDY)
    assert int(most) * 2**20 >= Settings().max_body_bytes


def test_the_checklists_headers_are_set() -> None:
    names = re.findall(r"proxy_set_header (\S+)", NGINX)
    assert {"X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "Upgrade", "Connection"} <= set(names)


def test_what_nodes_tell_each_other_goes_through_neither() -> None:
    assert re.search(r"location = /api/cluster/snapshot \{\s+return 404", NGINX)
    assert re.search(r"handle /api/cluster/snapshot \{\s+respond .+ 404", CADDY)


def test_operators_pages_are_for_private_networks_in_both() -> None:
    (nginx,) = re.findall(r"location ~ \^/\((\S+?)\)", NGINX)
    assert set(nginx.split("|")) == set(re.findall(r"/(\w+)", re.findall(r"@operators path (.*)", CADDY)[0]))
    private = re.findall(r"allow (\S+);", NGINX)
    assert private == re.findall(r"not remote_ip (.*)", CADDY)[0].split()
