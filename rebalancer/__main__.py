"""`python -m rebalancer` is the `rebalancer` command."""

from rebalancer.cli.main import main

main()
