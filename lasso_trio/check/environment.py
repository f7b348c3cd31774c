"""Rows E1 to E10: the variables that a node needs before it goes into production. Pure.

What must be there in production and is not is a failure where `LASSO_ENV=prod`, and a warning elsewhere: a machine to
develop on does without.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from lasso_trio.backup.literal_keys import literal_keys
from lasso_trio.backup.manifest import variables_of
from lasso_trio.check.facts import Facts, GitSeen, there
from lasso_trio.check.row import Need, Row
from lasso_trio.check.verdict import Verdict, failed, passed, skipped, warned
from lasso_trio.config.cluster_terms import BOTH
from lasso_trio.config.settings import SHORTEST_SECRET, Settings

FEWEST_CHARACTERS: Final = 16
"""Different ones in a secret that is not to be guessed; 64 random bytes have some forty."""
DOCS: Final = "docs/settings.md#variables"
CLUSTER_DOCS: Final = "docs/clustering.md#setting-up"
_CHANGES: Final = re.compile(r"[0-9a-f]{12,64}|.*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-.*")
"""Container ids and UUIDs: another one after each start."""
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FALSE: Final = frozenset({"false", "0"})


def _lacking(facts: Facts, why: str, todo: str) -> Verdict:
    """A failure in production, a warning elsewhere."""
    if facts.setup.is_prod:
        return failed(why, todo)
    return warned(f"{why} (LASSO_ENV is not prod)", todo)


def judge_secret(facts: Facts) -> Verdict:
    """E1."""
    text, git = facts.setup.get("SECRET_KEY_BASE"), there(facts.git)
    fresh = "`lasso secret` prints a fresh one; give the same to all nodes of a cluster"
    if not text:
        return _lacking(facts, "SECRET_KEY_BASE is not set", fresh)
    length = len(text.encode(errors="surrogateescape"))
    if git.holding:
        where = ", ".join(git.holding)
        return failed(f"its value stands in files that git tracks: {where}", f"remove it there; {fresh}")
    if git.dotenv_tracked:
        return failed(".env is tracked by git", "`git rm --cached .env`, list it in .gitignore, and change the secret")
    if git.committed:
        return failed(f"its value was committed: {git.committed}", f"whoever has the repository has it; {fresh}")
    if "secret" in facts.in_cluster.get("problems", ()):
        return failed("nodes of the cluster have different ones", "give the same SECRET_KEY_BASE to all nodes")
    if length < SHORTEST_SECRET:
        return _lacking(facts, f"it has {length} bytes, at least {SHORTEST_SECRET} are wanted", fresh)
    if len(set(text)) < FEWEST_CHARACTERS:
        return warned(f"it has only {len(set(text))} different characters: it can be guessed", fresh)
    return passed(f"{length} bytes{_kept(git)}")


def _kept(git: GitSeen) -> str:
    if not git.works:
        return "; whether it was committed could not be seen (no git here)"
    history = "nor its history" if git.whole else "; its history was not looked at to its end"
    return f", not in git's files{' ' if git.whole else ''}{history}"


def judge_host(facts: Facts) -> Verdict:
    """E2."""
    name = facts.setup.get("PHX_HOST")
    todo = "set PHX_HOST to the public name: rpc.example.com, or us-east-1.rpc.example.com with several regions"
    if not name:
        return _lacking(facts, "PHX_HOST is not set", todo)
    if complaint := facts.setup.complaint("PHX_HOST"):
        return failed(complaint, todo)
    if name in LOCAL or "." not in name:
        return _lacking(facts, f"{name} is no public name", todo)
    return passed(f"{name}")


def judge_server(facts: Facts) -> Verdict:
    """E3."""
    todo = "set PHX_SERVER=true, or leave it out"
    if complaint := facts.setup.complaint("PHX_SERVER"):
        return failed(complaint, todo)
    text = facts.setup.get("PHX_SERVER").lower()
    if text in _FALSE:
        return failed("PHX_SERVER is false: nothing listens", todo)
    return passed("the HTTP server is started" + ("" if text else " (by default)"))


def judge_node_id(facts: Facts) -> Verdict:
    """E4."""
    name, told = facts.setup.get("LASSO_NODE_ID"), facts.health.get("node_id")
    todo = "set LASSO_NODE_ID to a name that is this node's own and stays: us-east-1, iad, production-1"
    if name and (complaint := facts.setup.complaint("LASSO_NODE_ID")):
        return failed(complaint, todo)
    if "duplicate_id" in facts.in_cluster.get("problems", ()):
        return failed("two nodes of the cluster have one LASSO_NODE_ID", todo)
    if not name or name == Settings().node_id:
        return _lacking(facts, f"LASSO_NODE_ID is {name or 'not set'}", todo)
    if _CHANGES.fullmatch(name.lower()):
        return warned(f"{name} looks like an id that changes with each start", todo)
    if told is not None and told != name:
        return warned(f"it is {name} here, and the node says {told}", "run the check with the node's own environment")
    return passed(f"{name}")


def judge_port(facts: Facts) -> Verdict:
    """E5."""
    setup = facts.setup
    if complaint := next((p.what for p in setup.settings_problems if p.what.startswith("PORT ")), None):
        return failed(complaint, "set PORT to a number from 1 to 65535, or leave it out for 4000")
    port = int(setup.get("PORT") or Settings().port)
    if port == 0:
        return warned("PORT is 0: another one at each start", "set PORT, or leave it out for 4000")
    asked = _port_of(facts.url)
    if asked is not None and asked != port:
        return warned(f"PORT is {port}, and the node was reached on {asked}", "fine where something maps the port")
    return passed(f"{port}" + ("" if setup.get("PORT") else " (the default)"))


def _port_of(url: str | None) -> int | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def judge_scheme(facts: Facts) -> Verdict:
    """E6."""
    todo = "leave PHX_SCHEME out in production: it is https by default"
    if complaint := facts.setup.complaint("PHX_SCHEME"):
        return failed(complaint, todo)
    scheme = facts.setup.get("PHX_SCHEME").lower()
    if facts.setup.is_prod:
        return failed("PHX_SCHEME is http in production", todo) if scheme == "http" else passed("https")
    if scheme == "https":
        return passed("https")
    return warned("http, because LASSO_ENV is not prod", "set LASSO_ENV=prod in production")


def judge_provider_keys(facts: Facts) -> Verdict:
    """E7. Names only, never values."""
    setup = facts.setup
    if not setup.files:
        return skipped("there are no profiles to read", "see P1")
    names = variables_of(setup.files)
    missing = [name for name in names if not setup.get(name)]
    if missing or setup.unset:
        where = "; ".join(map(str, setup.unset))
        why = f"not set: {', '.join(missing)}" if missing else where
        return failed(why, f"set them in the node's environment or in .env. {where}".strip(), missing=missing)
    literal = list(literal_keys(setup.files))
    if literal:
        return warned(f"keys stand in the profiles themselves: {', '.join(literal)}", "write ${NAME} in their place")
    told = f"set: {', '.join(names)}" if names else "the profiles need none"
    return passed(told, variables=list(names))


def judge_cluster_variables(facts: Facts) -> Verdict:
    """E8."""
    setup = facts.setup
    set_ = [name for name in BOTH if setup.get(name)]
    if len(set_) == 1:
        other = next(name for name in BOTH if name not in set_)
        return failed(f"{set_[0]} is set and {other} is not", "set both for a cluster, neither for a lone node")
    if complaint := setup.complaint("CLUSTER_"):
        return failed(complaint, "see docs/clustering.md")
    running = facts.in_cluster.get("enabled")
    if running is not None and running != bool(set_):
        words = "in a cluster" if running else "alone"
        return warned(f"the node runs {words}, and the environment says otherwise", "run it with the node's own")
    return passed(f"a cluster: {' and '.join(set_)}" if set_ else "neither is set: a lone node")


def judge_cluster_reach(facts: Facts) -> Verdict:
    """E9."""
    mates = there(facts.mates)
    todo = "let CLUSTER_DNS_QUERY resolve to every node, and the nodes reach each other's port"
    if mates.fault:
        return failed(f"the name does not resolve: {mates.fault}", todo)
    silent = {address: problem for address, problem in mates.problems.items() if problem}
    if silent:
        address, problem = next(iter(silent.items()))
        return failed(f"{len(silent)} of {len(mates.problems)} do not answer: {address}: {problem}", todo)
    found, expected = len(mates.problems), facts.in_cluster.get("nodes_total", 0)
    if found < expected:
        return failed(f"DNS names {found} of the {expected} nodes that the cluster knows", todo)
    if "dns" in facts.in_cluster.get("problems", ()):
        return failed("the node cannot resolve the name", todo)
    if found < 2:
        return warned("DNS names one node only", todo)
    return passed(f"{found} addresses, and each answers", addresses=sorted(mates.problems))


def judge_vm_metrics(facts: Facts) -> Verdict:
    """E10."""
    todo = "leave LASSO_VM_METRICS_ENABLED out, or set it to true"
    if complaint := facts.setup.complaint("LASSO_VM_METRICS_ENABLED"):
        return failed(complaint, todo)
    if facts.setup.get("LASSO_VM_METRICS_ENABLED").lower() in _FALSE:
        return warned("turned off: how late the event loop is stays unknown", todo)
    if facts.metrics is not None and not facts.metrics.total("lasso_loop_lag_samples_total"):
        return failed("on, but the node does not measure its event loop", "start the node with this environment")
    return passed("on")


ROWS: Final = (
    Row("E1", "SECRET_KEY_BASE", DOCS, judge_secret, {Need.GIT}, {Need.NODE}),
    Row("E2", "PHX_HOST", DOCS, judge_host),
    Row("E3", "PHX_SERVER", DOCS, judge_server),
    Row("E4", "LASSO_NODE_ID", DOCS, judge_node_id, (), {Need.NODE}),
    Row("E5", "PORT", DOCS, judge_port),
    Row("E6", "PHX_SCHEME", DOCS, judge_scheme),
    Row("E7", "Provider keys", "docs/profiles.md#variables", judge_provider_keys),
    Row("E8", "Cluster variables", CLUSTER_DOCS, judge_cluster_variables, (), {Need.NODE}),
    Row("E9", "Cluster reachability", CLUSTER_DOCS, judge_cluster_reach, {Need.MATES}, {Need.NODE}),
    Row("E10", "System metrics on", DOCS, judge_vm_metrics, (), {Need.METRICS}),
)
