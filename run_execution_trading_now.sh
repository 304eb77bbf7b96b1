#!/bin/sh
# Run one rebalance now, whatever the hour, and write its report.
#
#   ./run_execution_trading_now.sh
#   ./run_execution_trading_now.sh --dry-run       decide and show, send nothing
#   ./run_execution_trading_now.sh --profile NAME  the rules of that profile too
#
# The first run installs the Python packages into .venv. All options are those of
# `rebalancer run-now`.
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
if help_of "$0" "$@"; then
  [ -x .venv/bin/python ] || exit 0 # nothing is installed for a help
  echo
  PYTHONPATH=$PWD exec .venv/bin/python -m rebalancer run-now --help
fi
environment requirements.txt
PYTHONPATH=$PWD exec "$PYTHON" -m rebalancer run-now "$@"
