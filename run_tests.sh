#!/bin/sh
# Run the whole suite: style, types, import rules, tests. With arguments: only pytest, with these arguments.
# --campaign: the long runs instead, about two hours: a hundred thousand simulated cycles, SIGKILL at every boundary,
# 5 000 power cuts, 20 000 damaged inputs of each kind, every planted bug (docs/explanation/reliability.md), all tests on 29 February.
# --date 2027-03-14 [arguments]: the tests on that date, or at that moment in UTC: no test may depend on today's date.
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
environment requirements-dev.txt
export PYTHONPATH="$PWD" OPENBLAS_NUM_THREADS=1
unset PYTHONDONTWRITEBYTECODE  # with it, every program that a test starts would be compiled again
if [ "${1-}" = "--campaign" ]; then
  shift
  [ $# -gt 0 ] || ./run_tests.sh --date 2028-02-29
  exec "$PYTHON" -m pytest -m campaign --durations=0 "$@"
fi
if [ "${1-}" = "--date" ]; then
  SHIFTED_SECONDS=$("$PYTHON" -m tests.support.shifted "${2-}")
  export SHIFTED_SECONDS PYTHONPATH="$PWD/tests/support/shifted:$PYTHONPATH"
  shift 2
  [ $# -gt 0 ] || set -- -n 3
  set -- -W "ignore:Module already imported so cannot be rewritten; time_machine" "$@"
fi
if [ $# -gt 0 ]; then
  exec "$PYTHON" -m pytest "$@"
fi
"$PYTHON" -m ruff check --quiet .
"$PYTHON" -m ruff format --quiet --check .
echo "style: ok"
"$PYTHON" -m mypy
.venv/bin/lint-imports >.venv/imports.txt 2>&1 || { cat .venv/imports.txt; exit 1; }
echo "import rules: ok"
exec "$PYTHON" -m pytest -n 3
