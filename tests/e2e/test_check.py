"""`lasso check` against what it is for: a demo behind nginx, three nodes of a cluster, and a node that is not ready."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import trio

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.check import checklist
from lasso_trio.devnet import Chain, Devnet, Faults, Latency
from tests.e2e import shipped_nginx, toolbox
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.checking import RUNBOOK, SECRET, SMALL, TOKEN, Checked, Node, checked, demo, production, started
from tests.e2e.conftest import Serve
from tests.e2e.lasso import CHAIN, PROFILE
from tests.e2e.neighbours import NAME, free_port
from tests.e2e.town import HOSTS, start_all, town, until

ALL: Final = {row.id for row in checklist.ROWS}
MEASURED: Final = {"M3", "N2", "N3", "D5"}
"""Rows whose figures are this machine's of this moment: it may be slow, which is a warning, and makes no call fail."""
STRANGERS: Final = {"N1"}
"""A profile that asks nobody for a key is worth a warning."""
HURRIED: Final = {"P5", "H1"}
"""On a slow machine the limit gives back what the flood takes, which skips P5, and H1 is late, which is a warning."""
TOO_SLOW_TO_TELL: Final = {"N2"}
"""Where the client limit holds the load test back, most of what the node does meanwhile is not for its calls."""
KEY: Final = made("check")


@contextmanager
def front(folder: Path, port: int, ops_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The shipped nginx, which takes us for a stranger: `url`, and `ca`, whom to believe."""
    monkeypatch.setattr(shipped_nginx, "_PRIVATE", "127.0.0.32/27")
    with shipped_nginx.running(folder / "front", port, ops_port) as made:
        authority = folder / "ca.pem"
        made.authority.cert_pem.write_to_path(authority)
        yield {"url": made.url, "ca": str(authority)}


def all_pass(found: Checked, *, less: set[str], may_fail: set[str], calls: int) -> None:
    """Every row but `less` (which may not have failed either), and what was measured at most warned; no call of the
    load test failed. What a slow machine keeps from passing has not failed.
    """
    assert found.rows.keys() == ALL
    assert found.in_state("pass") >= ALL - less - MEASURED - HURRIED, {
        k: v["why"] for k, v in found.rows.items() if v["state"] != "pass"
    }
    assert not MEASURED & found.in_state("skip"), found.why("skip")
    assert found.in_state("fail") <= may_fail, found.why("fail")
    load = found.rows["N3"]["figures"]
    assert (load["sent"], load["errors"], load["limited"]) == (calls, 0, 0)
    assert found.rows["H3"]["figures"]["http"] == "HTTP/2"


@pytest.mark.timeout(300)
def test_every_row_that_one_node_can_have_passes_for_the_demo_behind_nginx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolbox.nginx()
    env = production(toolbox.free_port(), toolbox.free_port())
    node = f"http://127.0.0.1:{env['PORT']}"
    with demo(tmp_path, env), front(tmp_path, int(env["PORT"]), int(env["LASSO_OPS_PORT"]), monkeypatch) as outside:
        (tmp_path / "runbook.md").write_text(RUNBOOK)
        found = checked(
            tmp_path, {**env, "SSL_CERT_FILE": outside["ca"]},
            "--url", node, "--public-url", outside["url"], "--log", "lasso.log", "--runbook", "runbook.md",
            "--region", node, "--region", outside["url"], "--load",
        )  # fmt: skip
    all_pass(found, less={"E9", "D2"} | STRANGERS, may_fail=set(), calls=1000)
    assert found.in_state("skip") - {"P5"} == {"E9", "D2"}
    assert found.in_state("warn") <= STRANGERS | MEASURED | {"H1"}
    assert found.rows["D1"]["figures"]["first"] not in found.rows["D1"]["figures"]["then"]


ACCESS: Final = f"auth: {{keys: [{{id: check, hash: 'sha256:{digest_of(KEY)}'}}]}}\n"


@pytest.mark.timeout(300)
async def test_every_row_passes_for_three_nodes_until_one_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolbox.nginx()
    calm = {"one": Faults(), "two": Faults()}
    async with town(tmp_path) as here, Devnet.open(calm, chain=Chain(CHAIN_ID, 1.0, 100)) as net:
        here.list_hosts(*HOSTS[:3])
        urls, ops = {name: net.url(name) for name in calm}, free_port(HOSTS[:3])
        for host, id_ in zip(HOSTS, ("us-east-1", "eu-west-1", "ap-south-1"), strict=False):
            place = (host, here.port, id_, tmp_path / id_, here.client, here.names.address, "", SECRET)
            here.nodes.append(Node(*place, urls=urls, ops_port=ops, access=ACCESS))
        nodes = [node for node in here.nodes if isinstance(node, Node)]
        await start_all(*nodes)
        one, _, three = nodes

        async def complete() -> bool:
            return bool((await one.cluster())["coverage"]["text"] == "3 of 3")

        await until(60, complete)
        (one.folder / "runbook.md").write_text(RUNBOOK)
        words = ["--load-calls", "150", "--url", one.base, "--ops-url", f"http://{one.host}:{ops}"]
        words += ["--log", "lasso.log", "--header", f"X-Lasso-Api-Key: {KEY}"]
        words += ["--runbook", "runbook.md", *(word for node in nodes for word in ("--region", node.base))]
        with front(tmp_path, one.port, ops, monkeypatch) as outside:
            env = {**one.environment, "SSL_CERT_FILE": outside["ca"]}
            words += ["--public-url", outside["url"]]
            found = await trio.to_thread.run_sync(checked, one.folder, env, *words)
            all_pass(found, less=set(), may_fail=TOO_SLOW_TO_TELL, calls=150)
            assert "from outside there are calls only" in found.rows["N1"]["why"]
            assert not found.in_state("skip")
            assert len(found.rows["E9"]["figures"]["addresses"]) == 3

            three.kill()
            here.nodes.remove(three)

            async def left_out() -> bool:
                return await one.state_of("ap-south-1") == "disconnected"

            await until(60, left_out)
            few = [*words, "--only", "E9,D2,D3,H1"]
            found = await trio.to_thread.run_sync(checked, one.folder, env, *few)
        assert found.code == 1
        assert found.in_state("fail") == {"E9", "D3"}
        assert "ap-south-1" in found.why("warn")["D2"]
        assert found.in_state("pass") <= {"H1"}


WRONG: Final = {
    "SECRET_KEY_BASE": "short",
    "LASSO_NODE_ID": "",
    "PHX_HOST": "",
    "PHX_SERVER": "false",
    "PHX_SCHEME": "http",
    "CLUSTER_DNS_QUERY": NAME,
    "LASSO_VM_METRICS_ENABLED": "perhaps",
}


@pytest.mark.timeout(300)
async def test_a_node_that_is_not_ready_for_production_fails_row_by_row(serve: Serve, tmp_path: Path) -> None:
    async with Devnet.open({"only": Faults()}, chain=Chain(CHAIN_ID, None, 100)) as net:
        lasso = await trio.to_thread.run_sync(serve, {"only": net.url("only")})
        env = production(lasso.port, lasso.port) | {"LASSO_OPS_PORT": "", "LASSO_TRUSTED_PROXIES": "0.0.0.0/0"}
        profile = tmp_path / "profiles" / "public.yml"
        profile.parent.mkdir()
        profile.write_text("name: x\nslug: public\nchains: {anvil: {chain_id: 31337}}\n")
        (tmp_path / "lasso.log").write_text('{"event": "node.ready"}\n')
        here = f"http://127.0.0.1:{lasso.port}"
        words = ("--url", here, "--public-url", here, "--log", "lasso.log", "--load-calls", "30")

        async def failed(*more: str, **changed: str) -> set[str]:
            found = await trio.to_thread.run_sync(checked, tmp_path, env | changed, *words, *more)
            assert found.code == 1
            return found.in_state("fail")

        offline = {"E1", "E2", "E3", "E4", "E6", "E8", "E10", "P1", "P2", "P3", "H4"}
        assert await failed("--only", ",".join(offline), **WRONG) == offline
        head = PROFILE.format(chain=CHAIN, chain_id=CHAIN_ID, settings="", **SMALL)
        profile.write_text(head + "      - {id: only, url: 'http://127.0.0.1/${ONLY_KEY}'}\n")
        assert await failed("--only", "E7") == {"E7"}
        online = {"P5", "H3", "M1", "N1"}  # it limits nobody, has no TLS and no login, and shows its metrics to all
        assert await failed("--only", ",".join(online), ONLY_KEY="k") == online
        await net.kill("only")
        assert await failed("--only", "N3,H1") == {"N3"}


def test_where_nobody_listens_one_row_fails(tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{toolbox.free_port()}"
    found = checked(tmp_path, production(4000, 4001), "--url", dead, "--skip", "H3,N1,environment,profiles")
    assert (found.code, found.in_state("fail")) == (1, {"H1"})
    assert found.in_state("pass") <= {"H2", "H5", "H6", "D4"}


def test_what_is_asked_wrongly_is_exit_code_two(tmp_path: Path) -> None:
    with started(tmp_path, {}, "--only", "E99") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "did you mean 'E9'" in err


@pytest.mark.timeout(300)
async def test_broken_off_while_a_provider_is_cordoned_and_once_more_it_is_taken_back(
    serve: Serve, tmp_path: Path
) -> None:
    slow = {name: Faults(latency=Latency.constant(400)) for name in ("one", "two")}
    async with Devnet.open(slow, chain=Chain(CHAIN_ID, None, 100)) as net:
        urls = {name: net.url(name) for name in slow}
        lasso = await trio.to_thread.run_sync(lambda: serve(urls, env={"LASSO_ADMIN_TOKEN": TOKEN}))
        words = ("--url", f"http://127.0.0.1:{lasso.port}", "--only", "H1,D1,N3")
        with started(tmp_path, {"LASSO_ADMIN_TOKEN": TOKEN}, *words) as process:
            end = time.monotonic() + 60
            while b"admin.cordon" not in lasso.log:
                assert time.monotonic() < end
                await trio.sleep(0.02)
            process.send_signal(signal.SIGINT)
            await trio.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = await trio.to_thread.run_sync(process.communicate)
        found = Checked.of(process.returncode, out, err)
        assert (found.code, found.report["interrupted"], err) == (2, True, "")
        assert found.in_state("pass") <= {"H1"}
        while b"admin.uncordon" not in lasso.log:  # which is written from time to time
            assert time.monotonic() < end + 60
            await trio.sleep(0.02)
        assert lasso.log.count(b"admin.cordon") == lasso.log.count(b"admin.uncordon") == 1
