"""A node that everybody may call should be one on purpose: what is said of it in production."""

from __future__ import annotations

from ipaddress import ip_address

import structlog

from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Mode, Settings

log = structlog.get_logger(__name__)


def warn(settings: Settings, before: ProfileSet | None, profiles: ProfileSet) -> None:
    """Say loudly which profiles are open to everybody who reaches this node: at its start (`before` is None), and when
    other ones are than `before`.
    """
    words = warning(settings, profiles)
    if words is not None and (before is None or words != warning(settings, before)):
        log.warning("access.open", message=words)


def warning(settings: Settings, profiles: ProfileSet) -> str | None:
    """None where there is nothing to be said: not in production, not public, or kept by keys or networks."""
    names = [slug for slug, profile in profiles.profiles.items() if profile.access.lets_anybody_in]
    if not names or not settings.listen or settings.mode is not Mode.PROD or _is_loopback(settings.host):
        return None
    whose = f"profile {names[0]!r}" if len(names) == 1 else f"profiles {', '.join(map(repr, names))}"
    remedy = "write `auth` (lasso key new) or `networks` into it, unless something in front asks for keys"
    return f"everybody who reaches this node on {settings.host} can call {whose}, and spend its providers: {remedy}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
