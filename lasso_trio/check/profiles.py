"""Rows P1 to P7: profiles are valid, complete, loaded, limited and can be got back. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lasso_trio import __version__
from lasso_trio.backup import archive, manifest
from lasso_trio.backup.manifest import BadArchive
from lasso_trio.backup.outside_files import outside_files
from lasso_trio.check.facts import Facts, there
from lasso_trio.check.row import Need, Row
from lasso_trio.check.verdict import Verdict, failed, passed, skipped, warned
from lasso_trio.config.document import Items, Node, Scalar, Table, read_document
from lasso_trio.config.loader import SUFFIXES
from lasso_trio.config.profile import Capabilities, Profile
from lasso_trio.config.report import Report
from lasso_trio.providers.breaker import BreakerPolicy

MOST_RPS: Final = 100_000
"""A limit per client beyond this limits nobody: no node answers as much."""
FEW: Final = 5
LOAD_TODO: Final = "`lasso validate` lists every problem"


def judge_syntax(facts: Facts) -> Verdict:
    """P1."""
    setup = facts.setup
    if setup.unsound:
        listed = "; ".join(map(str, setup.unsound[:FEW]))
        more = f" (and {len(setup.unsound) - FEW} more)" if len(setup.unsound) > FEW else ""
        return failed(f"{listed}{more}", LOAD_TODO, problems=[str(problem) for problem in setup.unsound])
    if not setup.files:
        return failed(f"{setup.directory} holds no profiles", "see docs/profiles.md for a first one")
    count = sum(name.endswith(SUFFIXES) and name[0] not in "._" for name in setup.files)
    return passed(f"{_count(count, 'file')} in {setup.directory}, all valid")


def judge_fields(facts: Facts) -> Verdict:
    """P2. The files as they are written, so that what is defaulted does not count as given."""
    if not facts.setup.files:
        return skipped("there are no profiles to read", "see P1")
    lacking = list(_lacking_fields(facts))
    if lacking:
        return failed("; ".join(lacking[:FEW]), "see docs/profiles.md for what a profile must say", lacking=lacking)
    return passed("each names itself, and has chains with chain_id, and providers with id and URL")


def _lacking_fields(facts: Facts) -> Iterator[str]:
    for name, data in facts.setup.files.items():
        if not name.endswith(SUFFIXES) or name[0] in "._":
            continue
        document = read_document(data.decode("utf-8", "replace"), Report(name))
        if document is None:
            yield f"{name}: cannot be read"
            continue
        yield from (f"{name}: {what} is missing" for what in _lacking_in(document))


def _lacking_in(document: Table) -> Iterator[str]:
    given = _members(document)
    yield from (key for key in ("name", "slug") if _is_empty(given.get(key)))
    chains = given.get("chains")
    if not isinstance(chains, Table) or not chains.pairs:
        yield "chains with at least one chain"
        return
    for key, chain in chains.pairs:
        yield from (f"{key.text}: {what}" for what in _lacking_in_chain(_members(chain)))


def _lacking_in_chain(given: dict[str, Node]) -> Iterator[str]:
    if _is_empty(given.get("chain_id")):
        yield "chain_id"
    providers = given.get("providers")
    if not isinstance(providers, Items) or not providers.nodes:
        yield "providers with at least one provider"
        return
    for number, provider in enumerate(map(_members, providers.nodes), start=1):
        if _is_empty(provider.get("id")):
            yield f"provider {number}: id"
        if _is_empty(provider.get("url")) and _is_empty(provider.get("ws_url")):
            yield f"provider {number}: url"


def _members(node: Node) -> dict[str, Node]:
    return {key.text: value for key, value in node.pairs} if isinstance(node, Table) else {}


def _is_empty(node: Node | None) -> bool:
    return node is None or (isinstance(node, Scalar) and not node.text.strip())


def judge_loading(facts: Facts) -> Verdict:
    """P3."""
    log = there(facts.log)
    if not log.loaded and not log.started:
        return skipped("the log does not reach back to the node's start", "give --log the file from its beginning")
    missing = sorted(set(facts.setup.profiles) - set(log.loaded))
    if missing or not log.loaded:
        return failed(
            f"no line `Loaded profile:` for {', '.join(missing) or 'any'}", "was the node started with these profiles?"
        )
    return passed(f"Loaded profile: {', '.join(dict.fromkeys(log.loaded))}")


def judge_limits(facts: Facts) -> Verdict:
    """P4."""
    profiles = facts.setup.profiles
    if not profiles:
        return skipped("the profiles cannot be read", "see P1")
    told = ", ".join(f"{p.slug} {p.rps_limit}/s, burst {p.burst_limit}" for p in profiles.values())
    figures = {p.slug: {"rps": p.rps_limit, "burst": p.burst_limit} for p in profiles.values()}
    boundless = [p.slug for p in profiles.values() if p.rps_limit > MOST_RPS]
    if boundless:
        todo = "set rps_limit to what one client may use: 100 is the default"
        return failed(f"a limit that limits nobody: {', '.join(boundless)} ({told})", todo, limits=figures)
    if lame := [p.slug for p in profiles.values() if p.burst_limit < p.rps_limit]:
        why = f"the burst is below a second's calls: {', '.join(lame)} ({told})"
        return warned(why, "set burst_limit to rps_limit or more", limits=figures)
    return passed(told, limits=figures)


def judge_limiting(facts: Facts) -> Verdict:
    """P5."""
    seen = there(facts.limit)
    told = f"{seen.limited} of {seen.sent} calls at once got 429 (profile {seen.profile}, burst {seen.burst})"
    figures = {"sent": seen.sent, "limited": seen.limited}
    if not seen.limited and not seen.other and seen.sent <= seen.burst + seen.rps * seen.seconds:
        why = f"{seen.sent} calls took {seen.seconds:.1f} s: too slow to exceed the limit"
        return skipped(why, "check from nearer, or let it make more at once (--load)")
    if not seen.limited:
        why = f"{told}{': ' + seen.other if seen.other else ''}"
        return failed(why, "does the node run with these profiles, and does its proxy tell it the client?", **figures)
    if not seen.told_when:
        return warned(f"{told}, without Retry-After", "does a proxy in between take headers away?", **figures)
    if seen.other:
        return warned(f"{told}; another one said {seen.other}", "look at the node's log", **figures)
    return passed(told, **figures)


def judge_capabilities(facts: Facts) -> Verdict:
    """P6."""
    profiles, policy = facts.setup.profiles, BreakerPolicy()
    if not profiles:
        return skipped("the profiles cannot be read", "see P1")
    if facts.metrics is not None and (lacks := facts.metrics.lacks(("lasso_breaker_state",))):
        return failed(f"the node does not show its breakers: no {lacks[0]}", "is /metrics the node's own?")
    own, all_ = _own_capabilities(list(profiles.values()))
    thresholds = f"a breaker opens after {policy.failures} failures in a row, for {policy.recovery_s:g} s"
    return passed(
        f"{own} of {_count(all_, 'provider')} with capabilities of their own, the others by default; {thresholds}",
        breaker={"failures": policy.failures, "successes": policy.successes, "recovery_s": policy.recovery_s},
    )


def _own_capabilities(profiles: list[Profile]) -> tuple[int, int]:
    providers = [provider for profile in profiles for chain in profile.chains for provider in chain.providers]
    return sum(provider.capabilities != Capabilities() for provider in providers), len(providers)


def judge_backup(facts: Facts) -> Verdict:
    """P7: an archive is made in memory and read again."""
    files = facts.setup.files
    if not files:
        return skipped("there are no profiles to archive", "see P1")
    try:
        told = manifest.describe(files, "", __version__)
        restored = archive.unpack(archive.pack(told, files))[1]
    except BadArchive as fault:
        return failed(f"they cannot be archived: {fault}", "`lasso backup` says the same")
    if restored != dict(files):
        return failed("what comes out of an archive is not what went in", "please report this")
    if outside := list(outside_files(files)):
        return warned(f"not in the archive: {'; '.join(outside)}", "keep these files as well, or beside the profiles")
    needs = f"needs {', '.join(told.variables)} to be kept elsewhere" if told.variables else "needs no secrets"
    return passed(f"{_count(len(files), 'file')} archived and restored; {needs}", variables=list(told.variables))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


_DOCS: Final = "docs/profiles.md"
ROWS: Final = (
    Row("P1", "Profile syntax", f"{_DOCS}#files", judge_syntax),
    Row("P2", "Required fields", f"{_DOCS}#files", judge_fields),
    Row("P3", "Loading is visible", "docs/settings.md#what-it-says", judge_loading, {Need.LOG}),
    Row("P4", "Rate limits set", f"{_DOCS}#the-profile", judge_limits),
    Row("P5", "Rate limits work", f"{_DOCS}#the-profile", judge_limiting, {Need.LIMIT}),
    Row("P6", "Capabilities and breakers", f"{_DOCS}#capabilities", judge_capabilities, (), {Need.METRICS}),
    Row("P7", "Backup of profiles", f"{_DOCS}#the-commands", judge_backup),
)
