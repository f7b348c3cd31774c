"""Short ways to read a profile in a test: what it says, or which problems it has and on which lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from lasso_trio.config.loader import load_profile_text
from lasso_trio.config.profile import Profile
from lasso_trio.errors import ConfigError

Read = Callable[..., Profile]
Faults = Callable[..., list[str]]


def _read(text: str, environ: Mapping[str, str] | None = None, file: str = "<test>") -> Profile:
    return load_profile_text(text, file, environ or {})


@pytest.fixture
def read() -> Read:
    return _read


@pytest.fixture
def faults() -> Faults:
    """The problems of a text that must have some, as `line: what (did you mean …?)`."""

    def faults(text: str, environ: Mapping[str, str] | None = None, file: str = "<test>") -> list[str]:
        with pytest.raises(ConfigError) as caught:
            _read(text, environ, file)
        return [str(problem).removeprefix(f"{file}:").strip() for problem in caught.value.problems]

    return faults


@pytest.fixture
def with_chain() -> Callable[[str], str]:
    """A profile of one chain with these lines added to the chain, from line 3 on."""

    def with_chain(lines: str) -> str:
        body = "".join(f"    {line}\n" for line in lines.splitlines())
        provider = "    providers:\n      - id: a\n        url: https://a.example\n"
        return f"chains:\n  ethereum:\n{body}    chain_id: 1\n{provider}"

    return with_chain


@pytest.fixture
def with_provider() -> Callable[[str], str]:
    """A profile of one provider `a` with these lines added to the provider, from line 6 on."""

    def with_provider(lines: str) -> str:
        body = "".join(f"        {line}\n" for line in lines.splitlines())
        return f"chains:\n  ethereum:\n    chain_id: 1\n    providers:\n      - id: a\n{body}"

    return with_provider
