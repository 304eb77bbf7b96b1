"""Tests of `rebalancer.research`."""
