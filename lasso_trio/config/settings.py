"""What the environment decides about one node. Profiles decide the rest.

`Settings` is a frozen value made once, at start, from a mapping (see `environment.with_dotenv` for where that comes
from); nothing else in the program reads the environment. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import attrs

from lasso_trio.config import cluster_terms, redis_terms, tracing_terms
from lasso_trio.config.cluster_terms import ClusterTerms
from lasso_trio.config.cpus import usable_cpus
from lasso_trio.config.redis_terms import RedisTerms
from lasso_trio.config.report import Report, nearest
from lasso_trio.config.secret import Secret
from lasso_trio.config.tracing_terms import TracingTerms
from lasso_trio.config.variables import Network, Variables
from lasso_trio.errors import ConfigError, Problem

FILE: Final = "environment"
SHORTEST_SECRET: Final = 64
"""Bytes of `SECRET_KEY_BASE`."""

SHORTEST_TOKEN: Final = 16
"""Characters of `LASSO_ADMIN_TOKEN`."""

SHORTEST_PASSWORD: Final = 8
"""Characters of a password of the dashboard."""

LONGEST_PASSWORD: Final = 1024
"""Bytes (UTF-8) of one: the login's form has room for it, however its characters are escaped."""

LOG_LEVELS: Final = ("debug", "info", "warning", "error")
MOST_WORKERS: Final = 256
MIB: Final = 1024 * 1024
KNOWN: Final = frozenset(
    {
        "LASSO_ADMIN_TOKEN",
        "LASSO_BYTE_BUDGET",
        "LASSO_CATALOGUE_FILE",
        "LASSO_DASHBOARD",
        "LASSO_DASHBOARD_PASSWORD",
        "LASSO_DASHBOARD_USERS",
        "LASSO_ENV",
        "LASSO_GRACE_S",
        "LASSO_GZIP_MIN_BYTES",
        "LASSO_HTTP_POOL_SIZE",
        "LASSO_LOG_FORMAT",
        "LASSO_LOG_LEVEL",
        "LASSO_LOG_SAMPLE_RATE",
        "LASSO_MAX_BATCH",
        "LASSO_MAX_BODY_BYTES",
        "LASSO_MAX_BODY_BYTES_PER_IP",
        "LASSO_MAX_CONNECTIONS",
        "LASSO_MAX_CONNECTIONS_PER_IP",
        "LASSO_MAX_IN_FLIGHT_PER_IP",
        "LASSO_MAX_RESPONSE_BYTES",
        "LASSO_NODE_ID",
        "LASSO_OPS_PORT",
        "LASSO_OTEL",
        "LASSO_OTEL_PROPAGATE",
        "LASSO_PROBES",
        "LASSO_PROFILES_DIR",
        "LASSO_REDIS_URL",
        "LASSO_STANDBY",
        "LASSO_TRUSTED_PROXIES",
        "LASSO_VM_METRICS_ENABLED",
        "LASSO_WORKERS",
        "LASSO_WS_IDLE_S",
        "LASSO_WS_MAX_SUBSCRIPTIONS",
        "LASSO_WS_PING_S",
        "LASSO_WS_QUEUE_BYTES",
        "LASSO_WS_QUEUE_MESSAGES",
    }
)
"""Every variable with our prefix that means something. Another one is a warning: a typo, or another version's."""


class Mode(StrEnum):
    DEV = "dev"
    PROD = "prod"


class LogFormat(StrEnum):
    """`auto`: pretty in a terminal, JSON otherwise."""

    AUTO = "auto"
    JSON = "json"
    PRETTY = "pretty"


@attrs.frozen
class Settings:
    mode: Mode = Mode.DEV
    workers: int = 1
    """Processes that take calls; with more than one there is a parent beside them."""
    standby: bool = True
    """With several workers: one process more, which waits to replace one that dies."""
    host: str = "127.0.0.1"
    """The address to listen on: every one in prod, loopback otherwise."""
    port: int = 4000
    listen: bool = True
    """`PHX_SERVER`: False starts everything but the listener."""
    profiles_dir: Path | None = None
    """None: not given; see `loader.usual_directory`."""
    catalogue_file: Path | None = None
    """The operator's own rows of the error catalogue; None: as shipped."""
    node_id: str = "local"
    public_host: str = "localhost"
    public_scheme: str = "http"
    secret_key_base: Secret | None = None
    admin_token: Secret | None = None
    """None: there is no admin API."""
    dashboard: bool = True
    """False: there is no dashboard, and nothing is remembered for one."""
    dashboard_password: Secret | None = None
    dashboard_users: Mapping[str, Secret] = attrs.field(factory=dict)
    """Passwords by name. Neither these nor a password: everybody may look."""
    ops_port: int | None = None
    """Where the dashboard, the metrics and the admin API are, and only there; None: on `port`."""
    grace_s: float = 25.0
    log_sample_rate: float = 1.0
    log_level: str = "info"
    log_format: LogFormat = LogFormat.AUTO
    trusted_proxies: tuple[Network, ...] = ()
    max_batch: int = 50
    max_body_bytes: int = 8_000_000
    byte_budget: int = 128 * MIB
    max_response_bytes: int = 128 * MIB
    http_pool_size: int = 256
    gzip_min_bytes: int = 4096
    """Answers from this size on are compressed when the client asks; 0 is never."""
    max_connections: int = 20_000
    max_connections_per_ip: int = 10_000
    """Of one address that is no trusted proxy, IPv6 by its /64; 0: no limit. This one and the next two."""
    max_in_flight_per_ip: int = 0
    """HTTP requests being answered on the rpc lane, also behind trusted proxies."""
    max_body_bytes_per_ip: int = 64 * MIB
    vm_metrics: bool = True
    probes: bool = True
    """False: providers are believed to serve their chain, and nobody knows their heads."""
    ws_max_subscriptions: int = 128
    ws_queue_messages: int = 256
    """Notifications that wait for a WebSocket client which does not read, before it is closed."""
    ws_queue_bytes: int = 4 * MIB
    ws_ping_s: float = 30.0
    ws_idle_s: float = 7200.0
    cluster: ClusterTerms | None = None
    """None: a lone node."""
    redis: RedisTerms | None = None
    """Where nodes share limits and kept answers; None: they do not."""
    tracing: TracingTerms | None = None
    """None: calls are not traced."""
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in `environ`. Raises ConfigError with everything that is wrong."""
        report = Report(FILE)
        variables = Variables(environ, report)
        mode = Mode(variables.choice("LASSO_ENV", tuple(Mode), Mode.DEV))
        if mode is Mode.PROD:
            _check_required(variables)
        settings = _settings(variables, mode)
        if report.problems:
            raise ConfigError(report.problems)
        return settings


def _settings(variables: Variables, mode: Mode) -> Settings:
    in_prod = mode is Mode.PROD
    usual = Settings()
    directory, rows = variables.get("LASSO_PROFILES_DIR"), variables.get("LASSO_CATALOGUE_FILE")
    return Settings(
        mode=mode,
        workers=_workers(variables),
        standby=variables.choice("LASSO_STANDBY", ("on", "off"), "on") == "on",
        host="0.0.0.0" if in_prod else usual.host,
        port=variables.integer("PORT", usual.port, most=65_535),
        listen=variables.boolean("PHX_SERVER", usual.listen),
        profiles_dir=Path(directory) if directory else None,
        catalogue_file=Path(rows) if rows else None,
        node_id=variables.word("LASSO_NODE_ID", usual.node_id),
        public_host=variables.host("PHX_HOST", usual.public_host),
        public_scheme=variables.choice("PHX_SCHEME", ("http", "https"), "https" if in_prod else "http"),
        secret_key_base=_secret(variables, in_prod),
        admin_token=_admin_token(variables),
        dashboard=variables.choice("LASSO_DASHBOARD", ("on", "off"), "on") == "on",
        dashboard_password=_password(variables),
        dashboard_users=_users(variables),
        ops_port=_ops_port(variables),
        grace_s=variables.number("LASSO_GRACE_S", usual.grace_s),
        log_sample_rate=variables.number("LASSO_LOG_SAMPLE_RATE", usual.log_sample_rate, most=1.0),
        log_level=variables.choice("LASSO_LOG_LEVEL", LOG_LEVELS, usual.log_level),
        log_format=LogFormat(variables.choice("LASSO_LOG_FORMAT", tuple(LogFormat), usual.log_format)),
        trusted_proxies=variables.networks("LASSO_TRUSTED_PROXIES"),
        max_batch=variables.integer("LASSO_MAX_BATCH", usual.max_batch, least=1),
        max_body_bytes=variables.integer("LASSO_MAX_BODY_BYTES", usual.max_body_bytes, least=1),
        byte_budget=variables.integer("LASSO_BYTE_BUDGET", usual.byte_budget, least=1),
        max_response_bytes=variables.integer("LASSO_MAX_RESPONSE_BYTES", usual.max_response_bytes, least=1),
        http_pool_size=variables.integer("LASSO_HTTP_POOL_SIZE", usual.http_pool_size, least=1),
        gzip_min_bytes=variables.integer("LASSO_GZIP_MIN_BYTES", usual.gzip_min_bytes),
        max_connections=variables.integer("LASSO_MAX_CONNECTIONS", usual.max_connections, least=1),
        max_connections_per_ip=variables.integer("LASSO_MAX_CONNECTIONS_PER_IP", usual.max_connections_per_ip),
        max_in_flight_per_ip=variables.integer("LASSO_MAX_IN_FLIGHT_PER_IP", usual.max_in_flight_per_ip),
        max_body_bytes_per_ip=variables.integer("LASSO_MAX_BODY_BYTES_PER_IP", usual.max_body_bytes_per_ip),
        vm_metrics=variables.boolean("LASSO_VM_METRICS_ENABLED", usual.vm_metrics),
        probes=variables.choice("LASSO_PROBES", ("on", "off"), "on") == "on",
        ws_max_subscriptions=variables.integer("LASSO_WS_MAX_SUBSCRIPTIONS", usual.ws_max_subscriptions),
        ws_queue_messages=variables.integer("LASSO_WS_QUEUE_MESSAGES", usual.ws_queue_messages, least=1),
        ws_queue_bytes=variables.integer("LASSO_WS_QUEUE_BYTES", usual.ws_queue_bytes, least=1),
        ws_ping_s=variables.number("LASSO_WS_PING_S", usual.ws_ping_s),
        ws_idle_s=variables.number("LASSO_WS_IDLE_S", usual.ws_idle_s),
        cluster=cluster_terms.read(variables),
        redis=redis_terms.read(variables),
        tracing=tracing_terms.read(variables),
        warnings=tuple(_unknown(variables.environ)),
    )


def _workers(variables: Variables) -> int:
    name, value = "LASSO_WORKERS", variables.get("LASSO_WORKERS") or "1"
    if value.lower() == "auto":
        return min(usable_cpus(), MOST_WORKERS)
    if value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MOST_WORKERS:
        return int(value)
    variables.report.add(None, f"{name} must be an integer from 1 to {MOST_WORKERS}, or auto, found {value[:40]!r}")
    return 1


def _check_required(variables: Variables) -> None:
    reasons = {
        "SECRET_KEY_BASE": "signs sessions; `lasso secret` makes one",
        "PHX_HOST": "the public host name, such as rpc.example.com",
        "LASSO_NODE_ID": "unique and stable per node, such as us-east-1",
    }
    for name, reason in reasons.items():
        if variables.get(name) is None:
            variables.report.add(None, f"{name} is required when LASSO_ENV=prod ({reason})")


def _secret(variables: Variables, in_prod: bool) -> Secret | None:
    value = variables.get("SECRET_KEY_BASE")
    if value is None:
        return None
    length = len(value.encode(errors="surrogateescape"))
    if in_prod and length < SHORTEST_SECRET:
        what = f"SECRET_KEY_BASE must be at least {SHORTEST_SECRET} bytes, found {length} (`lasso secret` makes one)"
        variables.report.add(None, what)
    return Secret(value)


def _admin_token(variables: Variables) -> Secret | None:
    value = variables.get("LASSO_ADMIN_TOKEN")
    if value is None:
        return None
    if len(value) < SHORTEST_TOKEN:
        what = f"LASSO_ADMIN_TOKEN must have at least {SHORTEST_TOKEN} characters, found {len(value)}"
        variables.report.add(None, what)
    return Secret(value)


def _password(variables: Variables) -> Secret | None:
    value = variables.get("LASSO_DASHBOARD_PASSWORD")
    return None if value is None else _long_enough(variables, "LASSO_DASHBOARD_PASSWORD", value)


def _users(variables: Variables) -> Mapping[str, Secret]:
    """`name:password`, several separated by commas."""
    name, users = "LASSO_DASHBOARD_USERS", dict[str, Secret]()
    for part in (variables.get(name) or "").split(","):
        user, colon, password = part.strip().partition(":")
        if not part.strip():
            continue
        if not colon or not user.isprintable() or not user.strip() or user in users:
            variables.report.add(None, f"{name} must be name:password, several separated by commas, each name once")
            continue
        users[user] = _long_enough(variables, name, password)
    return users


def _long_enough(variables: Variables, name: str, password: str) -> Secret:
    if len(password) < SHORTEST_PASSWORD:
        what = f"{name} must give passwords of at least {SHORTEST_PASSWORD} characters, found {len(password)}"
        variables.report.add(None, what)
    if (length := len(password.encode("utf-8", "surrogateescape"))) > LONGEST_PASSWORD:
        variables.report.add(None, f"{name} must give passwords of at most {LONGEST_PASSWORD} bytes, found {length}")
    return Secret(password)


def _ops_port(variables: Variables) -> int | None:
    if variables.get("LASSO_OPS_PORT") is None:
        return None
    return variables.integer("LASSO_OPS_PORT", 0, most=65_535)


def _unknown(environ: Mapping[str, str]) -> list[Problem]:
    names = sorted(name for name in environ if name.startswith("LASSO_") and name not in KNOWN)
    return [Problem(FILE, None, f"{name} is not a variable of this version", nearest(name, KNOWN)) for name in names]
