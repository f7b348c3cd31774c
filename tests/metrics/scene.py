"""A directory of two profiles that share an upstream, with counters to be set by hand."""

from __future__ import annotations

from random import Random

from lasso_trio.config.profile import CachePolicy, Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool

KEY = "0123456789abcdef0123456789abcdef"
ALPHA = "1:alpha.example:0"
BETA = "1:beta.example:0"


def undialled(endpoint: Endpoint) -> Pool:
    async def dial() -> Dialled:
        raise AssertionError("nobody dials here")

    return Pool(endpoint, dial=dial)


def provider(name: str, *, ws: bool = False) -> Provider:
    return Provider(
        name,
        name.title(),
        f"1:{name}.example:0",
        SecretUrl(f"https://{name}.example/v3/{KEY}"),
        SecretUrl(f"wss://{name}.example/v3/{KEY}") if ws else None,
    )


def make_directory(*, providers: int = 0) -> Directory:
    """Profiles `main` (alpha, beta over both transports, and so many more) and `side` (alpha)."""
    more = tuple(provider(f"p{number}") for number in range(providers))
    own = (provider("alpha"), provider("beta", ws=True), *more)
    main = Profile("main", "Main", (Chain("ethereum", 1, "Ethereum", own),), cache=CachePolicy(enabled=True))
    side = Profile("side", "Side", (Chain("ethereum", 1, "Ethereum", (provider("alpha"),)),))
    return Directory.of(ProfileSet.of([main, side]), Registry(undialled, Random(1)))


def routed_of(directory: Directory, profile: str = "main") -> RoutedChain:
    return directory.profiles[profile].chains[0]
