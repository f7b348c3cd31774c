from __future__ import annotations

import pytest
from joserfc.errors import UnsupportedAlgorithmError

from lasso_trio.access.token_algorithms import registry


def test_both_names_of_ed25519_are_one_algorithm() -> None:
    allowed = registry(["EdDSA"])
    assert allowed.get_alg("EdDSA") is allowed.get_alg("Ed25519")


@pytest.mark.parametrize(("algorithms", "name"), [(["EdDSA"], "none"), (["HS256"], "EdDSA"), (["ES256"], "HS256")])
def test_no_other_algorithm_is_taken(algorithms: list[str], name: str) -> None:
    with pytest.raises(UnsupportedAlgorithmError):
        registry(algorithms).get_alg(name)
