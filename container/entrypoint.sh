#!/bin/sh
# The entry point of the image: `rebalancer`, and before that a configuration in a volume that has none.
set -eu
if [ ! -e /data/config/execution.yaml ]; then
  rebalancer init --yes /data >&2
fi
exec rebalancer "$@"
