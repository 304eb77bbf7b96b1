"""Settings: configuration, profile, secrets and live-trading switches, all read strictly.

Rules come from built-in defaults, YAML files and `REBALANCER__SECTION__KEY` variables, each value with its origin;
every error is reported with file, line and key. Secrets are never displayed. Of the project it imports `core` and
`ops`.
"""
