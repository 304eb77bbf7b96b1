"""The account's own switches: GET and PATCH /v2/account/configurations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from rebalancer.exchange.errors import ApiError, bad_request


class Configuration(NamedTuple):
    """The switches of the account. Mails are not sent, nothing is a PTP, no options are traded.

    The last two belong to the day-trading rule that has ended. They are no longer sent since 2026-07-06, unless the
    legacy switch is on or a client has set them to something else than `entry`, so that what was set can be read.
    """

    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    trade_confirm_email: str = "all"
    ptp_no_exception_entry: bool = False
    disable_overnight_trading: bool = False
    max_options_trading_level: int = 0
    pdt_check: str = "entry"
    dtbp_check: str = "entry"

    def wire(self, *, legacy: bool = False) -> dict[str, object]:
        """Alpaca's account configuration object; legacy with the day-trading checks of old."""
        hidden = [name for name in _RETIRED if not legacy and getattr(self, name) == "entry"]
        return {name: value for name, value in self._asdict().items() if name not in hidden}


_RETIRED: Final = ("pdt_check", "dtbp_check")
_CHECKS: Final = ("entry", "exit", "both")
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "max_margin_multiplier": ("1", "2", "4"),
    "trade_confirm_email": ("all", "none"),
    "pdt_check": _CHECKS,
    "dtbp_check": _CHECKS,
}
_LEVELS: Final = (0, 1, 2, 3)


def configuration_from(stored: str | None) -> Configuration:
    """Read the stored switches; the defaults when nothing is stored."""
    return Configuration() if stored is None else Configuration(**json.loads(stored))


def patched(configuration: Configuration, body: Mapping[str, object]) -> Configuration:
    """Apply a PATCH body. Nulls and empty strings leave a switch as it is: clients send the whole object with what
    they do not know empty. Raises ApiError 400 for a wrong value or an unknown switch."""
    changes = {key: value for key, value in body.items() if value is not None and value != ""}
    for key, value in changes.items():
        if key in _WORDS:
            if value not in _WORDS[key]:
                *first, last = _WORDS[key]
                raise bad_request(f"{key} must be {', '.join(first)} or {last}")
        elif key == "max_options_trading_level":
            if type(value) is not int or value not in _LEVELS:
                raise bad_request(f"{key} must be 0, 1, 2 or 3")
        elif key not in Configuration._fields:
            raise ApiError(400, {"code": 40010000, "message": f"{key} is not an account configuration"})
        elif not isinstance(value, bool):
            raise bad_request(f"{key} must be true or false")
    return Configuration(**{**configuration._asdict(), **changes})
