# Sourced by the start scripts: creates the Python environment in .venv, or uses the existing one.
#
# Needs only Python 3.11 or newer, a shell and a package index. Uses uv when it is installed, otherwise venv and pip; both
# install exactly the versions in the lock file, checked by hash. `environment LOCK` sets $PYTHON.

say() { printf '%s\n' "$*" >&2; }

find_python() {
  for name in ${REBALANCER_PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$name"
      return 0
    fi
  done
  say "error: no Python 3.11 or newer was found"
  say "  hint: install one (Debian 12: apt install python3 python3-venv), or set REBALANCER_PYTHON to its path"
  return 1
}

# with_uv LOCK BASE: install with uv. Fails when uv cannot install (no reachable index, unknown certificates).
with_uv() {
  command -v uv >/dev/null 2>&1 || return 1
  [ -x "$PYTHON" ] || uv venv --quiet --python "$2" .venv >&2 || return 1
  uv pip install --quiet --python "$PYTHON" --require-hashes -r "$1" >&2
}

# with_pip LOCK BASE: install with venv and pip; an environment without pip is created again.
with_pip() {
  if [ ! -x "$PYTHON" ] || ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
    "$2" -m venv --clear .venv >&2 || {
      say "  hint: Debian and Ubuntu ship it apart: apt install python3-venv"
      return 1
    }
  fi
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$1" >&2
}

# environment LOCK: install at least the packages of LOCK into .venv. A stamp file is written last, so that an interrupted
# installation is repeated.
environment() {
  stamp=.venv/stamp-$1
  PYTHON=$PWD/.venv/bin/python
  sum=$(cksum <"$1")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && "$PYTHON" -c '' >/dev/null 2>&1; then
    return 0
  fi
  base=$(find_python) || return 1
  say "setting up Python packages from $1 (once) ..."
  if ! with_uv "$1" "$base"; then
    ! command -v uv >/dev/null 2>&1 || say "uv could not install them; trying pip ..."
    with_pip "$1" "$base" || {
      say "error: the packages of $1 could not be installed"
      say "  hint: is a package index reachable? (PIP_INDEX_URL, PIP_CERT)"
      return 1
    }
  fi
  printf '%s\n' "$sum" >"$stamp"
}
