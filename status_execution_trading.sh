#!/bin/sh
# Show in one screen where things stand. Arguments go to `rebalancer status`.
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
environment requirements.txt
PYTHONPATH=$PWD exec "$PYTHON" -m rebalancer status "$@"
