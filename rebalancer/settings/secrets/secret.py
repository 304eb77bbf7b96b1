"""A type for secrets that is never displayed, and the names of all secrets of this program."""

from __future__ import annotations

from typing import Final, NoReturn

SECRET_NAMES: Final = (
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "REBALANCER_SMTP_URL",
    "REBALANCER_ALERT_WEBHOOK",
    "REBALANCER_APPRISE_URLS",
    "REBALANCER_HEARTBEAT_URL",
    "REBALANCER_EVENTS_WEBHOOK",
    "REBALANCER_EVENTS_SECRET",
    "REBALANCER_JOURNAL_PASSWORD",
    "REBALANCER_MIRROR_PASSWORD",
    "TRADERVUE_USERNAME",
    "TRADERVUE_PASSWORD",
    "MASSIVE_API_KEY",
    "ALPHAVANTAGE_API_KEY",
    "XAI_API_KEY",
    "PERPLEXITY_API_KEY",
)


class Secret:
    """A value and its origin. Its string forms are all `***`; only `reveal` returns the value. It cannot be pickled."""

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str) -> None:
        self._value, self.origin = value, origin

    def reveal(self) -> str:
        """The value itself, only for the code that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")
