"""The fuzzer: every place where others' bytes come in, one after the other.

    nox -s fuzz                                        20 000 inputs each, and the property tests with many examples
    nox -s fuzz -- --inputs 1000000 --surface door     as many as that, into one
    nox -s fuzz -- --list

Findings are printed with their input, as Python writes it. Exits 1 when there is one.
"""

from __future__ import annotations

import argparse
import sys
import traceback

from tests.fuzz.cluster_surface import CLUSTER
from tests.fuzz.door_surface import DOOR, WEB, WEBSOCKET
from tests.fuzz.loop import Run, hangs_are_broken_off
from tests.fuzz.profile_surface import PROFILES
from tests.fuzz.request_surface import REQUESTS
from tests.fuzz.rpc_surface import JSON_RPC
from tests.fuzz.session_surface import SESSIONS
from tests.fuzz.upstream_surface import MESSAGES, REPLIES, RESPONSES

SURFACES = (REQUESTS, DOOR, WEBSOCKET, WEB, JSON_RPC, RESPONSES, REPLIES, MESSAGES, SESSIONS, CLUSTER, PROFILES)
INPUTS = 20_000
SECONDS = 60.0
ENOUGH_S = 86_400.0


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s fuzz --")
    parser.add_argument("--inputs", type=int, help=f"into each surface ({INPUTS}, or what {SECONDS:.0f} s allow)")
    parser.add_argument("--seconds", type=float, help="for each surface")
    parser.add_argument("--surface", action="append", choices=[surface.name for surface in SURFACES])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    given = options(arguments)
    chosen = [surface for surface in SURFACES if given.surface is None or surface.name in given.surface]
    if given.list:
        print("\n".join(surface.name for surface in chosen))  # noqa: T201
        return 0
    seconds = given.seconds or (SECONDS if given.inputs is None else ENOUGH_S)
    with hangs_are_broken_off():
        return max(fuzzed(Run.of(surface, given.inputs or INPUTS, seconds, given.seed)) for surface in chosen)


def fuzzed(run: Run) -> int:
    """Run it and say how it went; whether it found something."""
    run.run()
    memory = "" if run.warm is None or run.end is None else f", {run.warm.mib:.0f} → {run.end.mib:.0f} MiB"
    said = f"{run.done} inputs, {run.took_s:.1f} s, {len(run.outcomes)} outcomes{memory}, {len(run.findings)} findings"
    print(f"{run.surface.name}: {said}", flush=True)  # noqa: T201
    for found in run.findings:
        print(f"  !! {found.what}\n     {found.data!r}", flush=True)  # noqa: T201
        if found.cause is not None:
            traceback.print_exception(found.cause, limit=-8, file=sys.stdout)
    return int(bool(run.findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
