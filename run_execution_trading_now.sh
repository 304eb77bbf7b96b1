#!/bin/sh
# Run one rebalance now, whatever the hour, and write the report. Arguments go to `rebalancer run-now`.
#   ./run_execution_trading_now.sh --dry-run     decide and show everything, send nothing
#   ./run_execution_trading_now.sh --help        all options
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
environment requirements.txt
PYTHONPATH=$PWD exec "$PYTHON" -m rebalancer run-now "$@"
