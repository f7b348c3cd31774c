"""What happened that an operator should know: the log's events about providers, streams and services, and failovers.

A structlog processor in front of the others looks at each event's name and keeps what it knows, scrubbed, in a bounded
ring. Calls' own lines do not come this way. What the log's level holds back is not seen here either, nor is what a
client did wrong. What goes wrong again and again, for hours or with every call, takes no more than its share of the
ring, whichever worker logs it: a trouble loses its own oldest then, and all troubles together leave half to the rest.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from time import time_ns
from typing import Any, Final, Self

import attrs
import structlog
from structlog.typing import EventDict, WrappedLogger

from lasso_trio.routing.directory import RoutedProfile
from lasso_trio.telemetry.call_record import timestamp
from lasso_trio.telemetry.scrub import encodable, plain, scrub

KEPT: Final = 200
FAILOVER: Final = "failover"
MAX_TEXT: Final = 300
MOST_ALIKE: Final = 20
"""Of one trouble in the ring, and of those a process logs in a minute, so that a flood costs little."""
MOST_TROUBLES: Final = KEPT // 2
"""Of all of them in the ring: some a stranger can cause at will."""

KINDS: Final[Mapping[str, str]] = {
    "breaker": "breaker",
    "cooldown": "cooldown",
    "quota": "cooldown",
    "failover": "failover",
    "config": "config",
    "catalogue": "config",
    "admin": "config",
    "child": "supervision",
    "connection": "supervision",
    "probe": "provider",
    "keeper": "provider",
    "channel": "provider",
    "method": "provider",
    "plan": "provider",
    "stream": "stream",
    "feed": "stream",
    "node": "node",
    "listener": "node",
    "descriptors": "node",
}
"""By the first word of the event's name: what is kept whatever its level."""

TROUBLES: Final[Mapping[str, str]] = {
    "rpc": "accident",
    "batch": "accident",
    "ws": "accident",
    "replay": "accident",
    "afterwork": "accident",
    "answer": "accident",
    "hypercorn": "accident",
    "worker": "worker",
    "standby": "worker",
    "bus": "worker",
    "relay": "worker",
    "cluster": "cluster",
    "shared": "cluster",
    "limits": "cluster",
    "access": "access",
    "dashboard": "access",
    "traces": "telemetry",
    "log": "telemetry",
}
"""What is kept if it is a warning or worse: rationed, since it may come with every call. Words that are in neither are
passed over.
"""

_RATIONED: Final = frozenset(TROUBLES.values())

_CLIENTS_DEADLINE: Final = "client's deadline"
_SILENT: Final = frozenset({"rpc.request.completed", "node.signal", "keeper.connected", "config.unchanged"})
_LEVELS: Final = {"exception": "error", "critical": "error", "warn": "warning"}
_BAD: Final = frozenset({"warning", "error"})
_TEXTS: Final[Mapping[str, str]] = {
    "breaker.changed": "breaker of {instance} ({transport}): {before} → {after}, {reason}",
    "breaker.quarantined": "{instance} ({transport}) is quarantined: {reason}",
    "cooldown.begun": "{instance} ({transport}) throttles: left alone for {seconds} s",
    "quota.used_up": "{instance} ({transport}) has used up its quota: left alone for {seconds} s",
    "child.crashed": "{child} crashed: {error}",
    "child.restarted": "{child} was started again, for the {restarts}. time",
    "failover": "{count} failovers of {profile}/{chain} within 5 s",
    "config.reloaded": "the profiles were read again",
    "config.rejected": "the profiles on disk are wrong: the old ones go on",
    "channel.cordoned": "{instance} ({transport}) was cordoned",
    "channel.uncordoned": "{instance} ({transport}) is in service again",
    "keeper.ended": "the WebSocket of {instance} ended: {reason}",
    "keeper.not_connected": "the WebSocket of {instance} cannot be had: {reason}",
    "probe.wrong_chain": "{instance} serves another chain",
    "keeper.wrong_chain": "the WebSocket of {instance} serves another chain",
    "plan.everybody_lags": "every provider of {chain} lags",
    "stream.gap": "blocks {first} to {last} are missing in {stream}: {reason}",
    "rpc.handler.crashed": "a mistake of ours: request {request_id} was answered with 500",
    "rpc.answer.broken": "the answer to {request_id} broke off: {reason}",
    "batch.call_crashed": "a mistake of ours: {method} in the batch {request_id} failed",
    "ws.call_crashed": "a mistake of ours: {method} ({request_id}) over a WebSocket failed",
    "afterwork.crashed": "a mistake of ours: {work} failed",
    "shared.down": "Redis does not answer ({lane}): {error}",
    "limits.alone": "client limits are kept by each process for itself: {error}",
    "cluster.exchange_failed": "node {node} at {address} does not tell: {reason}",
    "access.keys_not_fetched": "the keys of {source} could not be had: {reason}",
    "dashboard.login_refused": "somebody at {client} tried a wrong password",
    "log.dropped": "{lines} lines of the log are missing: its output takes them too slowly, or not at all",
    "node.ready": "the node is ready",
    "node.draining": "the node is draining",
}


@attrs.frozen
class Issue:
    seq: int
    at_ns: int
    level: str
    event: str
    kind: str
    text: str
    fields: dict[str, Any]
    worker: int | None = None
    """Of another process of the node that logged it."""

    @property
    def instance(self) -> str | None:
        found = self.fields.get("instance")
        return found if isinstance(found, str) else None

    @property
    def place(self) -> tuple[str | None, str | None]:
        """Profile and chain that it is about, as far as it says so. A stream's key begins with both."""
        words = str(self.fields.get("stream", "")).split(" ", 2)
        profile, chain = (words[0], words[1]) if len(words) > 2 else (None, None)
        return self.fields.get("profile", profile), self.fields.get("chain", chain)

    @property
    def row(self) -> dict[str, Any]:
        shown = attrs.asdict(self, filter=lambda field, value: field.name != "at_ns" and not _is_ours(field, value))
        return {**shown, "at": timestamp(self.at_ns), "instance": self.instance, "chain": self.place[1]}


@attrs.frozen
class Sight:
    """What the readers of one profile see: what is about nobody, about it, or about what it names."""

    profile: str
    chains: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()

    @classmethod
    def of(cls, profile: RoutedProfile) -> Self:
        chains = [routed.chain for routed in profile.chains]
        instances = frozenset(provider.instance_id for chain in chains for provider in chain.providers)
        return cls(profile.profile.slug, frozenset(chain.key for chain in chains), instances)

    def has(self, issue: Issue) -> bool:
        profile, chain = issue.place
        if issue.instance is not None and issue.instance not in self.instances:
            return False
        return profile in (None, self.profile) and (chain is None or chain in self.chains)


@attrs.define(eq=False)
class IssueLog:
    """The newest `KEPT`. `sight`: the reader's; None for all."""

    kept: deque[Issue] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    last_seq: int = 0
    _lock: RLock = attrs.field(factory=RLock)
    """Whoever logs adds, in whatever thread, and in the midst of another's turn."""
    _minute: int = 0
    _alike: Counter[str] = attrs.field(factory=Counter)

    def add(self, event: str, level: str, fields: Mapping[str, Any]) -> None:
        """Never raises."""
        level = _LEVELS.get(level, level)
        kind = _kind(event, level, fields)
        if kind is None:
            return
        shown = {encodable(name): plain(value) for name, value in fields.items() if not name.startswith("exc")}
        issue = Issue(0, time_ns(), level, event, kind, _text(event, shown), shown)
        with self._lock:
            if kind not in _RATIONED or self._has_room(event):
                self._keep(issue, None)

    def _keep(self, issue: Issue, worker: int | None) -> None:
        if issue.kind in _RATIONED:
            self._make_room_for(issue.event)
        self.last_seq += 1
        self.kept.append(attrs.evolve(issue, seq=self.last_seq, worker=worker))

    def _make_room_for(self, trouble: str) -> None:
        troubles = [at for at, issue in enumerate(tuple(self.kept)) if issue.kind in _RATIONED]
        alike = [at for at in troubles if self.kept[at].event == trouble]
        if len(alike) >= MOST_ALIKE:
            del self.kept[alike[0]]
        elif len(troubles) >= MOST_TROUBLES:
            del self.kept[troubles[0]]

    def _has_room(self, event: str) -> bool:
        minute = time_ns() // 60_000_000_000
        if minute != self._minute:
            self._minute, self._alike = minute, Counter()
        self._alike[event] += 1
        return self._alike[event] <= MOST_ALIKE

    def own_since(self, seq: int) -> list[Issue]:
        """Those that this process logged after its `seq`-th; how often calls failed over each counts for itself."""
        return [i for i in tuple(self.kept) if i.seq > seq and i.worker is None and i.event != FAILOVER]

    def adopt(self, issue: Issue, worker: int) -> None:
        """What another process of the node logged."""
        with self._lock:
            self._keep(issue, worker)

    def rows(self, sight: Sight | None, most: int) -> list[dict[str, Any]]:
        """Newest last."""
        return [issue.row for issue in self._seen_by(sight)[-most:]]

    def troubles(self, sight: Sight | None, seconds: float) -> int:
        """How many warnings and errors of the last so many seconds."""
        since = time_ns() - int(seconds * 1e9)
        return sum(issue.level in _BAD and issue.at_ns >= since for issue in self._seen_by(sight))

    def _seen_by(self, sight: Sight | None) -> list[Issue]:
        return [issue for issue in tuple(self.kept) if sight is None or sight.has(issue)]

    def about(self, instance: str, most: int) -> list[dict[str, Any]]:
        return [issue.row for issue in tuple(self.kept) if issue.instance == instance][-most:]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within: the log's events come here too."""
        processors = structlog.get_config()["processors"]

        def listen(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
            name = event.get("event")
            if isinstance(name, str):
                self.add(name, level, {key: value for key, value in event.items() if key != "event"})
            return event

        processors.insert(0, listen)
        try:
            yield
        finally:
            if listen in processors:  # whoever configured the log meanwhile has made a list of their own
                processors.remove(listen)


def _kind(event: str, level: str, fields: Mapping[str, Any]) -> str | None:
    """None: no issue."""
    word = event.partition(".")[0]
    if event in _SILENT:
        return None
    if word in KINDS or level not in _BAD:
        return KINDS.get(word)
    is_clients = event == "rpc.answer.broken" and _CLIENTS_DEADLINE in str(fields.get("reason"))
    return None if is_clients else TROUBLES.get(word)


def _is_ours(field: attrs.Attribute[Any], value: object) -> bool:
    return field.name == "worker" and value is None


def _text(event: str, fields: Mapping[str, Any]) -> str:
    template = _TEXTS.get(event)
    if template is not None:
        try:
            return scrub(template.format_map(fields), MAX_TEXT)
        except (KeyError, ValueError, AttributeError):
            pass  # said without what the template needs: as it came
    said = ", ".join(f"{name} {value}" for name, value in fields.items() if isinstance(value, str | int | float))
    return scrub(f"{event}: {said}" if said else event, MAX_TEXT)
