"""API keys: how they look, and how one is told from another.

    lasso_<id>_<43 characters: 32 random bytes in base64url>

The id finds the entry, so that one comparison is made, in constant time; a name that nobody has costs the same. What is
kept is the SHA-256 of the whole key and nothing else. A slow hash, as passwords need, would defend nothing here: nobody
guesses 256 random bits, however fast each guess is; and the id, which is part of what is hashed, is the salt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final

from lasso_trio.config.access import ApiKey
from lasso_trio.config.sections.access_keys import KEY_ID

PREFIX: Final = "lasso_"
SECRET_BYTES: Final = 32

_SHAPE: Final = re.compile(rf"{PREFIX}({KEY_ID.pattern})_[A-Za-z0-9_-]{{43}}")
_NOBODY: Final = "0" * 64


def made(id_: str) -> str:
    """A new key. Raises ValueError when `id_` is no id."""
    if not KEY_ID.fullmatch(id_):
        raise ValueError(f"a key's id is up to 32 letters, digits, '.' and '-'; {id_!r} is not")
    return f"{PREFIX}{id_}_{token_urlsafe(SECRET_BYTES)}"


def id_of(key: str) -> str | None:
    """Whose key it says it is; None when it is no key."""
    match = _SHAPE.fullmatch(key)
    return None if match is None else match[1]


def digest_of(key: str) -> str:
    """What is kept of it: 64 hexadecimal digits."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def owner_of(key: str, keys: Mapping[str, ApiKey]) -> ApiKey | None:
    """The entry of `keys`, by id, that `key` belongs to; None when it is nobody's."""
    known = keys.get(id_of(key) or "")
    same = compare_digest(digest_of(key), _NOBODY if known is None else known.digest)
    return known if same else None
