# Sourced by the start scripts: makes the Python environment in .venv, or uses the one that is there.
#
# Needs only Python 3.11 or newer, a shell and a package index. Uses uv when it is installed, else venv and pip; both
# install exactly what the lock file says, checked by hash. `environment LOCK...` returns with $PYTHON set.

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

# environment LOCK: make .venv hold at least what LOCK lists. A stamp written last says that it does, so that an
# interrupted installation is done again.
environment() {
  lock=$1
  stamp=.venv/stamp-$lock
  PYTHON=$PWD/.venv/bin/python
  sum=$(cksum <"$lock")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && "$PYTHON" -c '' >/dev/null 2>&1; then
    return 0
  fi
  base=$(find_python) || return 1
  say "setting up Python packages from $lock (once) ..."
  if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    [ -x "$PYTHON" ] || uv venv --quiet --python "$base" .venv >&2 || return 1
    uv pip install --quiet --python "$PYTHON" --require-hashes -r "$lock" >&2 || return 1
  else
    [ -x "$PYTHON" ] || "$base" -m venv .venv >&2 || {
      say "  hint: Debian and Ubuntu ship it apart: apt install python3-venv"
      return 1
    }
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock" >&2 || return 1
  fi
  printf '%s\n' "$sum" >"$stamp"
}
