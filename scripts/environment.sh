# Sourced by the start scripts: creates the Python environment in .venv, or uses the existing one.
#
# Needs only Python 3.11 or newer, a shell and a package index. Uses uv when it is installed, otherwise venv and pip; both
# install exactly the versions in the lock file, checked by hash. `environment LOCK` sets $PYTHON.

# say TEXT: one message on stderr, folded at words when a person reads it on a terminal of 80 columns.
say() {
  if [ -t 2 ]; then printf '%s\n' "$*" | fold -s -w 80 >&2; else printf '%s\n' "$*" >&2; fi
}

# help_of SCRIPT ARGUMENT...: with -h or --help among the arguments, print the comment at the top of the script, which says
# what it does and takes. Fails without one, so that it can be asked: `if help_of "$0" "$@"; then exit 0; fi`.
help_of() {
  script=${1##*/}
  shift
  for word in "$@"; do
    case $word in
      -h | --help)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"
        return 0
        ;;
    esac
  done
  return 1
}

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

# write_command: put the command `rebalancer` beside the interpreter, for `. .venv/bin/activate`; one that is there stays.
write_command() {
  [ ! -e .venv/bin/rebalancer ] || return 0
  cat >.venv/bin/.rebalancer.new <<'COMMAND'
#!/bin/sh
# Written by scripts/environment.sh: the program of the folder in which this environment is.
project=$(cd "$(dirname "$0")/../.." && pwd)
PYTHONPATH=$project${PYTHONPATH:+:$PYTHONPATH} exec "$project/.venv/bin/python" -m rebalancer "$@"
COMMAND
  chmod 755 .venv/bin/.rebalancer.new
  mv .venv/bin/.rebalancer.new .venv/bin/rebalancer
}

# environment LOCK: install at least the packages of LOCK into .venv; in a project that `rebalancer init` has made there is
# no LOCK, and the Python that made it is used. A stamp file is written last, so that an interrupted
# installation is repeated.
environment() {
  if [ ! -f "$1" ] && [ -f .interpreter ]; then # made by `rebalancer init`: the program is installed elsewhere
    PYTHON=$(cat .interpreter)
    "$PYTHON" -c 'import rebalancer' >/dev/null 2>&1 && return 0
    say "error: $PYTHON, which .interpreter names, has no rebalancer"
    say "  hint: install it there, or run \`rebalancer init .\` where it is installed"
    return 1
  fi
  stamp=.venv/stamp-$1
  PYTHON=$PWD/.venv/bin/python
  sum=$(cksum <"$1")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && "$PYTHON" -c '' >/dev/null 2>&1; then
    write_command
    return 0
  fi
  base=$(find_python) || return 1
  say "setting up Python packages from $1: once, less than a minute as a rule ..."
  if ! with_uv "$1" "$base"; then
    ! command -v uv >/dev/null 2>&1 || say "uv could not install them; trying pip ..."
    with_pip "$1" "$base" || {
      say "error: the packages of $1 could not be installed"
      say "  hint: is a package index reachable? (PIP_INDEX_URL, PIP_CERT)"
      return 1
    }
  fi
  write_command
  printf '%s\n' "$sum" >"$stamp"
}
