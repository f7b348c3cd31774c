# Sourced by the scripts beside it: finds a Python, makes .venv and installs exactly what the locks name.
#
# Nothing but pip reaches for the network. A stamp in .venv holds the hash of what it was made from, so the second run
# installs nothing. Environment: LASSO_PYTHON names the interpreter to use (3.11 or 3.12).

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
locks="$root/scripts/lock"

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${LASSO_PYTHON:+"$LASSO_PYTHON"} python3.11 python3.12 python3 python; do
        if supported "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "Python 3.11 or 3.12 is needed and was not found on PATH (LASSO_PYTHON=/path/to/python names one)"
}

make_venv() {
    local python
    python="$(find_python)"
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" >/dev/null 2>&1 && return
    # Debian's python3 comes without ensurepip: borrow the system's pip, where there is one.
    "$python" -m venv --clear --without-pip "$venv" || die "cannot make a virtual environment in $venv"
    "$python" -m pip --python "$venv/bin/python" install --quiet pip ||
        die "this Python has neither ensurepip nor pip (Debian, Ubuntu: apt-get install python3-venv)"
}

venv_is_usable() { supported "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

fingerprint() {  # of the files given, and of the interpreter: a moved checkout or a new Python installs afresh
    "$venv/bin/python" - "$venv" "$@" <<'PY'
import hashlib, pathlib, sys
digest = hashlib.sha256(f"{sys.version} {sys.argv[1]}".encode())
for name in sys.argv[2:]:
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())
PY
}

pip_install() { "$venv/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }

# is_installed NAME LOCK...: was NAME installed from exactly these? mark_installed says that it is.
is_installed() { [ "$(cat "$venv/.lasso-$1" 2>/dev/null)" = "$(fingerprint "${@:2}" "$root/pyproject.toml")" ]; }
mark_installed() { fingerprint "${@:2}" "$root/pyproject.toml" >"$venv/.lasso-$1"; }

# install_locked NAME LOCK...: the locks' packages, hashes checked, and this checkout in editable form.
install_locked() {
    local lock
    venv_is_usable || make_venv
    if is_installed "$@"; then
        say ".venv is up to date ($1)"
        return
    fi
    say "installing the locked $1 packages"
    rm -f "$venv"/.lasso-*
    for lock in "${@:2}"; do
        pip_install --require-hashes --no-deps --requirement "$lock" || die "could not install ${lock#"$root"/}"
    done
    pip_install --no-deps --no-build-isolation --editable "$root" || die "could not install this checkout"
    mark_installed "$@"
}

runtime_locks=("$locks/requirements-build.lock" "$locks/requirements.lock")
development_locks=("$locks/requirements-dev.lock")  # holds the runtime's packages too, at the same versions
