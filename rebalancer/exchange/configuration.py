"""The account's own switches: GET and PATCH /v2/account/configurations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from rebalancer.exchange.errors import ApiError, bad_request


class Configuration(NamedTuple):
    """The switches that may be changed; the others of the wire form are fixed. Mails are not sent, nothing is a PTP."""

    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    trade_confirm_email: str = "all"
    ptp_no_exception_entry: bool = False
    disable_overnight_trading: bool = False
    pdt_check: str = "entry"  # of the day-trading rule that has ended: sent and changed with the legacy switch only

    def wire(self, *, legacy: bool = False) -> dict[str, object]:
        """Alpaca's account configuration object; legacy with the day-trading checks of old."""
        row = {**self._asdict(), **_FIXED, **_RETIRED}
        return row if legacy else {name: value for name, value in row.items() if name not in _LEGACY}


_FIXED: Final[dict[str, object]] = {
    "max_options_trading_level": 0,
}
_RETIRED: Final = {"dtbp_check": "entry"}
_LEGACY: Final = ("dtbp_check", "pdt_check")  # no longer sent since 2026-07-06; old clients write them


def configuration_from(stored: str | None) -> Configuration:
    """Read the stored switches; the defaults when nothing is stored."""
    return Configuration() if stored is None else Configuration(**json.loads(stored))


def patched(configuration: Configuration, body: Mapping[str, object], *, legacy: bool = False) -> Configuration:
    """Apply a PATCH body. Nulls leave a switch as it is. Raises ApiError 400 for a wrong value or a fixed switch."""
    changes = {key: value for key, value in body.items() if value is not None}
    fixed = {**_FIXED, **_RETIRED, **({} if legacy else {"pdt_check": "entry"})}
    for key, value in changes.items():
        if key in fixed:
            if value != fixed[key]:
                raise bad_request(f"{key} cannot be changed on this exchange")
        elif key == "max_margin_multiplier":
            if value not in ("1", "2", "4"):
                raise bad_request("max_margin_multiplier must be 1, 2 or 4")
        elif key == "trade_confirm_email":
            if value not in ("all", "none"):
                raise bad_request("trade_confirm_email must be all or none")
        elif key == "pdt_check":
            if value not in ("entry", "exit", "both"):
                raise bad_request("pdt_check must be entry, exit or both")
        elif key not in Configuration._fields:
            raise ApiError(400, {"code": 40010000, "message": f"{key} is not an account configuration"})
        elif not isinstance(value, bool):
            raise bad_request(f"{key} must be true or false")
    return Configuration(**{**configuration._asdict(), **{k: v for k, v in changes.items() if k not in fixed}})
