"""What happened that an operator should know: the log's events about providers, streams and services, and failovers.

A structlog processor in front of the others looks at each event's name and keeps what it knows, scrubbed, in a bounded
ring. Calls' own lines do not come this way. What the log's level holds back is not seen here either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import time_ns
from typing import Any, Final

import attrs
import structlog
from structlog.typing import EventDict, WrappedLogger

from lasso_trio.telemetry.call_record import timestamp
from lasso_trio.telemetry.scrub import encodable, plain, scrub

KEPT: Final = 200
FAILOVER: Final = "failover"
MAX_TEXT: Final = 300

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
"""By the first word of the event's name; others are passed over."""

_SILENT: Final = frozenset({"node.signal", "keeper.connected", "config.unchanged"})
_LEVELS: Final = {"exception": "error", "critical": "error", "warn": "warning"}
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
    def row(self) -> dict[str, Any]:
        shown = attrs.asdict(self, filter=lambda field, value: field.name != "at_ns" and not _is_ours(field, value))
        return {**shown, "at": timestamp(self.at_ns), "instance": self.instance}


@attrs.define(eq=False)
class IssueLog:
    """The newest `KEPT`. `instances`: those that the reader's profile names; None for all."""

    kept: deque[Issue] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    last_seq: int = 0

    def add(self, event: str, level: str, fields: Mapping[str, Any]) -> None:
        """Never raises."""
        kind = KINDS.get(event.partition(".")[0])
        if kind is None or event in _SILENT:
            return
        shown = {encodable(name): plain(value) for name, value in fields.items() if not name.startswith("exc")}
        self.last_seq += 1
        text = _text(event, shown)
        self.kept.append(Issue(self.last_seq, time_ns(), _LEVELS.get(level, level), event, kind, text, shown))

    def own_since(self, seq: int) -> list[Issue]:
        """Those that this process logged after its `seq`-th; how often calls failed over each counts for itself."""
        return [i for i in self.kept if i.seq > seq and i.worker is None and i.event != FAILOVER]

    def adopt(self, issue: Issue, worker: int) -> None:
        """What another process of the node logged."""
        self.last_seq += 1
        self.kept.append(attrs.evolve(issue, seq=self.last_seq, worker=worker))

    def rows(self, instances: frozenset[str] | None, most: int) -> list[dict[str, Any]]:
        """Those about no instance, and those about `instances` (None: about any), newest last."""
        return [issue.row for issue in self._seen_by(instances)[-most:]]

    def troubles(self, instances: frozenset[str] | None, seconds: float) -> int:
        """How many warnings and errors of the last so many seconds."""
        since = time_ns() - int(seconds * 1e9)
        return sum(issue.level != "info" and issue.at_ns >= since for issue in self._seen_by(instances))

    def _seen_by(self, instances: frozenset[str] | None) -> list[Issue]:
        return [i for i in self.kept if instances is None or i.instance is None or i.instance in instances]

    def about(self, instance: str, most: int) -> list[dict[str, Any]]:
        return [issue.row for issue in self.kept if issue.instance == instance][-most:]

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
