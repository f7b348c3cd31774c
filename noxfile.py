"""Everything that is run on this code, each under one name: `nox -s lint`, `nox -s tests -- -k hedge`.

Sessions run in the environment that started nox (`scripts/test` makes it from the lock), so a session costs its own
work and nothing else. Only `smoke` builds an environment: a clean one, from the built wheel and the runtime lock.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
LOCKS = ROOT / "scripts" / "lock"
BIN = Path(sys.executable).parent
CHECKED = ("lasso_trio", "tests", "scripts", "noxfile.py")
TRIO_RULES_OFF = (
    "ASYNC109",  # our own functions take a deadline on purpose
    "ASYNC114",  # wants a list of every function that takes task_status
    "ASYNC124",  # an implementation of an async interface may have nothing to wait for
    "ASYNC128",  # a startable that hands its task_status on does not call it itself
    "ASYNC9",  # a checkpoint in every function: the lane's fast path avoids them on purpose
)
PURE = (  # they decide whom a call goes to and who is blamed: every branch of theirs is tested
    "lasso_trio/providers/breaker.py",
    "lasso_trio/providers/classify.py",
    "lasso_trio/providers/cooldown.py",
    "lasso_trio/providers/heads.py",
    "lasso_trio/providers/verdict.py",
    "lasso_trio/routing/filters.py",
    "lasso_trio/routing/split.py",
)

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "imports", "vendor", "docs", "tests", "build", "smoke"]
nox.options.stop_on_first_error = False


def python(session: nox.Session, *args: str | Path, **env: str) -> None:
    """Run a module or script with this environment's interpreter, activated or not."""
    session.run(sys.executable, *(str(arg) for arg in args), env=env, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, trio's traps, and the house rules."""
    python(session, "-m", "ruff", "check", *CHECKED)
    python(session, "-m", "ruff", "format", "--check", *CHECKED)
    sources = sorted(path.relative_to(ROOT) for path in (ROOT / "lasso_trio").rglob("*.py"))
    python(session, "-m", "flake8_async", "--enable=ASYNC", f"--disable={','.join(TRIO_RULES_OFF)}", *sources)
    python(session, "scripts/house_rules.py")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, on the package and on what builds and measures it."""
    python(session, "-m", "mypy")
    python(session, "-m", "mypy", "noxfile.py", "scripts")
    python(session, "-m", "mypy", "tests/bench")


@nox.session
def imports(session: nox.Session) -> None:
    """The direction of imports (contracts in pyproject.toml)."""
    session.run(str(BIN / "lint-imports"), "--no-cache", external=True)


@nox.session
def vendor(session: nox.Session) -> None:
    """The dashboard's foreign files are the ones that are written down; needs no network."""
    python(session, "scripts/vendor_assets.py")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site, into build/docs. Warnings are errors, and so are links and anchors to nowhere."""
    sphinx = ("-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "--fresh-env")
    python(session, *sphinx, "--doctree-dir", "build/doctrees", "docs", "build/docs")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests that need nothing but their own process, on every core (`-- -n0`: on one), and how much they cover.

    What is `PURE` is covered whole. `python -m coverage report` lists the lines afterwards: here they would hide what
    failed.
    """
    ignored = [f"--ignore={folder}" for folder in ("tests/e2e", "tests/browser")]
    spread = ("--numprocesses=auto", "--dist=worksteal", "--cov", "--cov-report=")
    python(session, "-m", "pytest", "-m", "not e2e", *spread, *ignored, *session.posargs)
    python(session, "-m", "coverage", "report", "--format=total")
    if not session.posargs:  # else not everything was run
        python(session, "-m", "coverage", "report", f"--include={','.join(PURE)}", "--fail-under=100")


@nox.session
def fuzz(session: nox.Session) -> None:
    """The property tests with many examples, then 20 000 inputs by mutation (`-- --inputs 1000000 --surface door`)."""
    if not session.posargs:  # which are the mutating fuzzer's
        patience = ("--timeout=1800", "-o", "faulthandler_timeout=1800")
        python(session, "-m", "pytest", "-m", "fuzz", *patience, HYPOTHESIS_PROFILE="fuzz")
    python(session, "-m", "tests.fuzz.run", *session.posargs)


@nox.session
def races(session: nox.Session) -> None:
    """100 000 races in virtual time, a few minutes (`-- 1000 7`: so many of either kind, a seed)."""
    python(session, "-m", "tests.routing.test_race_many", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """A node under mixed load and scheduled faults (`-- --minutes 30`, `--docs`): flat or not, and what was lost."""
    python(session, "tests/bench/soak.py", *session.posargs)


@nox.session
def e2e(session: nox.Session) -> None:
    """Real nodes, real clients, the pages' commands: E2E_TOOLBOX is where viem and ethers are, E2E_ANVIL the node.

    Streams go through 45 s of misfortunes; E2E_STREAM_S=180 makes it three minutes (`-- -k test_subscriptions.py`).
    """
    toolbox = Path(os.environ.get("E2E_TOOLBOX", ROOT / ".toolbox"))
    anvil = toolbox / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
    tools = {"E2E_TOOLBOX": str(toolbox), "E2E_ANVIL": os.environ.get("E2E_ANVIL", str(anvil))}
    if not Path(tools["E2E_ANVIL"]).exists():
        session.error(f"no real node at {tools['E2E_ANVIL']}: scripts/test fetches it (npm is needed)")
    patience = ("--timeout=300", "-o", "faulthandler_timeout=300")  # the usual minute is for tests of one process
    python(session, "-m", "pytest", "-m", "e2e", *patience, "tests/e2e", "tests/docs", *session.posargs, **tools)


@nox.session
def browser(session: nox.Session) -> None:
    """The dashboard in a real browser: E2E_TOOLBOX is the folder with axe-core. `-- --pictures`: docs/images anew."""
    toolbox = os.environ.get("E2E_TOOLBOX", str(ROOT / ".toolbox"))
    python(
        session, "-m", "pytest", "-m", "e2e", "--timeout=300", "tests/browser", *session.posargs, E2E_TOOLBOX=toolbox
    )


@nox.session
def bench(session: nox.Session) -> None:
    """CPU, latency beside nginx, the plain stack (`-- quick`, `--docs`); `-- race|streams|scrape|viewers|workers`.

    `-- replacement|spread|cluster|redis`: a killed worker, what workers tell each other, a hundred nodes, Redis gone.
    """
    if session.posargs[:1] in (["race"], ["streams"], ["scrape"], ["viewers"], ["workers"]):
        return python(session, f"tests/bench/{session.posargs[0]}.py", *session.posargs[1:])
    if session.posargs[:1] == ["redis"]:
        return python(session, "-m", "tests.bench.redis_away", *session.posargs[1:])
    if session.posargs[:1] in (["replacement"], ["spread"], ["cluster"]):
        return python(session, "-m", f"tests.bench.{session.posargs[0]}", *session.posargs[1:])
    return python(session, "tests/bench/run.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """The wheel and the source archive, into dist/."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    python(session, "-m", "hatchling", "build", "--target", "sdist", "--target", "wheel")


@nox.session(venv_backend="venv")
def smoke(session: nox.Session) -> None:
    """The built wheel in a clean environment: version, validate, a demo that answers, a clean stop."""
    wheels = sorted((ROOT / "dist").glob("*.whl"))
    if not wheels:
        session.error("dist/ holds no wheel: run `nox -s build smoke`")
    session.install("--require-hashes", "--no-deps", "--requirement", str(LOCKS / "requirements.lock"))
    session.install("--no-deps", str(wheels[-1]))
    session.run("python", str(ROOT / "scripts" / "smoke.py"), str(ROOT / "profiles"))


@nox.session
def lock(session: nox.Session) -> None:
    """Refresh every lock: inside the ranges, with hashes, no registry named. `-- --upgrade` takes newer versions."""
    runtime, builder, dev = (LOCKS / f"requirements{part}.lock" for part in ("", "-build", "-dev"))
    compile_lock(session, runtime, "pyproject.toml", "--extra", "otel")
    compile_lock(session, builder, "--group", "build")
    compile_lock(
        session, dev, "pyproject.toml", "--all-extras", "--group", "dev", "-c", str(runtime), "-c", str(builder)
    )
    with session.chdir(ROOT / "tests" / "e2e" / "node"):
        options = ("--package-lock-only", "--omit-lockfile-registry-resolved=true", "--no-audit", "--no-fund")
        session.run("npm", "install", *options, external=True)


def compile_lock(session: nox.Session, target: Path, *sources: str) -> None:
    """One lock for both Pythons."""
    options = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate")
    command = ("--quiet", "--custom-compile-command=nox -s lock", "--output-file", str(target.relative_to(ROOT)))
    session.run(str(BIN / "uv"), "pip", "compile", *options, *command, *sources, *session.posargs, external=True)


@nox.session
def news(session: nox.Session) -> None:
    """What the next release will tell its users, from the fragments in news/."""
    python(session, "-m", "towncrier", "build", "--draft", "--version", "next")
