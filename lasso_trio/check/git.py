"""What git knows of SECRET_KEY_BASE: which tracked files hold it now, and whether a commit ever did.

The secret is told to git by stdin or looked for here, and never stands on a command line. The history is read as long
as a few seconds take it; how far that came is part of what was seen.
"""

from __future__ import annotations

import os
from functools import partial
from subprocess import DEVNULL, PIPE
from typing import Final

import attrs
import trio

from lasso_trio.check.facts import GitSeen

GIT_S: Final = 10.0
HISTORY_S: Final = 10.0
DOTENV: Final = (".env", ":(top).env")
"""Where a node looks for it, and where it usually stands."""
_MARK: Final = b"\x00commit "
_EVERY_CHANGE: Final = (
    "log", "--all", "--patch", "--cc", "--text", "--unified=0", "--format=%x00commit %h%x00",
    "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-show-signature",
)  # fmt: skip


async def look_at_git(secret: str) -> GitSeen:
    """Of the repository that this process stands in, the whole of it. Does not wait longer than the two limits."""
    if not secret or "\n" in secret:
        return GitSeen()
    wanted = secret.encode(errors="surrogateescape")
    seen = GitSeen()
    with trio.move_on_after(GIT_S):
        seen = await _tracked(wanted)
    if not seen.works or seen.holding:
        return seen
    search = Search(wanted)
    with trio.move_on_after(HISTORY_S):
        await _read_history(search)
    return attrs.evolve(seen, committed=search.found, whole=search.whole)


async def _tracked(secret: bytes) -> GitSeen:
    tracked = await _git("ls-files", "--", *DOTENV)
    holding = await _git("grep", "--name-only", "--full-name", "--fixed-strings", "-f", "-", "--", ":/", stdin=secret)
    if tracked is None or holding is None or tracked[0] != 0 or holding[0] not in (0, 1):  # 1: none
        return GitSeen()
    return GitSeen(True, bool(tracked[1]), tuple(holding[1].splitlines()))


async def _git(*words: str, stdin: bytes = b"") -> tuple[int, str] | None:
    """Exit code and output; None where there is no git."""
    try:
        done = await trio.run_process(["git", *words], stdin=stdin, capture_stdout=True, stderr=DEVNULL, check=False)
    except OSError:
        return None
    return done.returncode, done.stdout.decode(errors="replace")


async def _read_history(search: Search) -> None:
    """Until it is found or all is read. Cancelled, git is ended."""
    here_only = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}  # of a partial clone git would fetch what is not here
    async with trio.open_nursery() as nursery:
        run = partial(
            trio.run_process, ["git", *_EVERY_CHANGE], stdout=PIPE, stderr=DEVNULL, check=False, env=here_only
        )
        process: trio.Process = await nursery.start(run)
        assert process.stdout is not None, "it was asked for"
        async with process.stdout as pieces:
            async for piece in pieces:
                search.feed(bytes(piece))
                if search.found:
                    nursery.cancel_scope.cancel("it is found")
        search.whole = await process.wait() == 0


@attrs.define(eq=False)
class Search:
    """For `secret` in the text of all changes, which comes in pieces. Pure.

    `found`: the commit that brought or removed it, short; empty when there is none so far. `whole`: all was read.
    """

    secret: bytes = attrs.field(repr=False)
    found: str = ""
    whole: bool = False
    _commit: bytes = b""
    _rest: bytes = b""

    def feed(self, piece: bytes) -> None:
        text = self._rest + piece
        at = text.find(self.secret)
        self._note_commit(text if at < 0 else text[:at])
        if at >= 0:
            self.found = self.found or self._commit.decode(errors="replace") or "a commit"
        keep = max(len(self.secret), len(_MARK) + 64)
        self._rest = text[-keep:]

    def _note_commit(self, text: bytes) -> None:
        """The last one whose name is whole."""
        for part in reversed(text.split(_MARK)[1:]):
            name, end, _ = part.partition(b"\x00")
            if end:
                self._commit = name
                return
