"""What is said while working: every line passes the redactor."""

from typing import Final

LEVEL: Final = "REBALANCER_LOG_LEVEL"  # how much is said: info, warning or error; -v and -q set it
