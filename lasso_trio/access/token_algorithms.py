"""The signature algorithms of tokens, as the library has them. Imported only where tokens are read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from joserfc.jws import JWSRegistry

ED25519: Final = "Ed25519"
"""What RFC 9864 calls the only curve that we take; nearly everybody still writes the older name."""


class Registry(JWSRegistry):
    """`EdDSA` is Ed25519 here."""

    def get_alg(self, name: str) -> Any:  # noqa: ANN401  (the library keeps the type to itself)
        return super().get_alg(ED25519 if name == "EdDSA" else name)


def registry(algorithms: Collection[str]) -> Registry:
    """Takes `algorithms` and no others. Parameters of a header that nobody knows are passed over, unless critical."""
    allowed = {*algorithms, ED25519} if "EdDSA" in algorithms else set(algorithms)
    return Registry(algorithms=allowed - {"EdDSA"}, strict_check_header=False)
