"""The public door: what the package's docstring promises works as written."""

from __future__ import annotations

import lasso_trio.devnet as devnet


def test_every_public_name_is_there_and_sorted() -> None:
    assert all(hasattr(devnet, name) for name in devnet.__all__)
    assert list(devnet.__all__) == sorted(devnet.__all__, key=lambda name: (not name.isupper(), name))
