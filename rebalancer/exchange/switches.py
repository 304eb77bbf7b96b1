"""Query parameters of the trading API that must be one of a few words; an unknown word is refused and never ignored."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

from rebalancer.exchange import parameters as read
from rebalancer.exchange.errors import ApiError, bad_request, invalid
from rebalancer.exchange.parameters import Parameters

_ON: Final = ("true", "1", "t")
_OFF: Final = ("false", "0", "f", "")
_PAID: Final = ("CSD", "CSW")
_DIVIDENDS: Final = (
    "DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX", "DIVWH", "CGD", "ROC",
)  # fmt: skip
_OTHERS: Final = (
    "ACATC", "ACATS", "ALLOC", "CFEE", "CIL", "CORR", "CSR", "DTCS", "DVF", "ECEXP", "EXTRD", "FEE", "FI", "FIMAT",
    "FOPT", "FXCNV", "FXTRD", "INT", "INTNRA", "INTPNL", "INTTW", "INVPNL", "JNL", "JNLC", "JNLS", "MA", "MEM", "NC",
    "OCT", "OPASN", "OPCA", "OPCSH", "OPEXC", "OPEXP", "OPTRD", "PTC", "PTR", "REO", "REORG", "SC", "SEG", "SPIN",
    "SPLIT", "SSO", "SSP", "SUB", "VOF", "WH", "WRM",
)  # fmt: skip
ACTIVITY_TYPES: Final = ("FILL", *_PAID, *_DIVIDENDS, *_OTHERS)  # what Alpaca names; this exchange writes some of them
ACTIVITY_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "TRANS": _PAID,
    "MISC": _OTHERS,
    "SWP": ("FXCNV",),
    "TRD": ("FILL",),
}
"""Words that only filter: each stands for some types."""
ACTIVITY_FILTERS: Final = (*ACTIVITY_TYPES, *ACTIVITY_GROUPS)


def switch(parameters: Parameters, name: str) -> bool:
    """Whether a switch is on: SDKs write True, true, TRUE or 1. Raises ApiError 422 for what is neither on nor off."""
    word = parameters.get(name, "").lower()
    if word not in (*_ON, *_OFF):
        raise invalid(f"invalid {name}: {word[:20]}")
    return word in _ON


def some_of(parameters: Parameters, name: str, allowed: Collection[str]) -> list[str]:
    """A comma-separated list of known words, empty when absent. Raises ApiError 422."""
    asked = read.names(parameters, name)
    for word in asked:
        if word not in allowed:
            raise invalid(f"invalid {name}: {word[:40]}")
    return asked


def one_of(parameters: Parameters, name: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words in any case, the empty string when absent. Raises ApiError 422."""
    word = parameters.get(name, "")
    if word and word.lower() not in allowed:
        raise invalid(f"invalid {name}: {word[:40]}")
    return word.lower()


def calendar_day(parameters: Parameters, name: str) -> date | None:
    """A date of a calendar, None when absent. Raises ApiError 400, the calendars' only refusal."""
    try:
        return read.calendar_date(parameters, name)
    except ApiError as error:
        raise bad_request(str(error.body["message"])) from None


def size(parameters: Parameters, name: str, largest: int) -> int:
    """How many rows a page shall hold: from 1 to the largest, which is the default. Raises ApiError 422."""
    text = parameters.get(name, "")
    if not text:
        return largest
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= largest or len(text) > 9:
        raise invalid(f"{name} must be between 1 and {largest}")
    return int(text)
