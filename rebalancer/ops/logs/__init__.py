"""Logging: every line passes the redactor."""

from typing import Final

LEVEL: Final = "REBALANCER_LOG_LEVEL"  # info, warning or error; overridden by -v and -q
