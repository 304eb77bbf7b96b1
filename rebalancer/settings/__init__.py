"""Settings: configuration, profile, secrets and the switches of live trading, read strictly.

Rules come from built-in defaults, YAML files and `REBALANCER__SECTION__KEY` variables, each value with its origin;
every mistake is reported with file, line and key. Secrets never show themselves. It imports `core` and `ops`.
"""
