"""What things are called on the engine. Names carry the cluster and the configuration: different ones do not mix.

    lasso:{cluster}:c:<digest of profile's configuration, and key>    a kept answer
    lasso:{cluster}:e:<the same of a chain's scope>                   its era: another after the chain was set back
    lasso:{cluster}:l:<limit>:<rate>/<burst>:<client>                 a client's bucket

What a profile's answers depend on is which upstreams it asks: nodes that ask others keep apart what they keep. Pure.
"""

from __future__ import annotations

from hashlib import blake2b, sha256

import attrs

from lasso_trio.config.profile import Profile
from lasso_trio.routing.lease import Report


@attrs.frozen
class Keys:
    """Of one cluster."""

    cluster: str

    def entry(self, configuration: bytes, key: bytes) -> bytes:
        return b"lasso:{%b}:c:%b" % (self.cluster.encode(), _digest(configuration, key))

    def era(self, configuration: bytes, scope: bytes) -> bytes:
        return b"lasso:{%b}:e:%b" % (self.cluster.encode(), _digest(configuration, scope))

    def bucket(self, report: Report) -> bytes:
        name = f"lasso:{{{self.cluster}}}:l:{report.limit}:{report.rate}/{report.burst}:{report.client}"
        return name.encode(errors="replace")


def configuration_of(profile: Profile) -> bytes:
    """The same on two nodes that ask the same upstreams for the same chains."""
    chains = sorted((chain.chain_id, *sorted(p.instance_id for p in chain.providers)) for chain in profile.chains)
    return sha256(repr((profile.slug, profile.cache.price_ms, chains)).encode()).digest()


def scope_of(key: bytes) -> bytes:
    """The chain that an entry is of (see `routing.cache_store`)."""
    return key.partition(b"\0")[0]


def _digest(configuration: bytes, key: bytes) -> bytes:
    return blake2b(key, digest_size=20, key=configuration).hexdigest().encode()
