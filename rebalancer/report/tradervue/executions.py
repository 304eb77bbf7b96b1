"""Executions as Tradervue's import API wants them (github.com/tradervue/api-docs, imports.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rebalancer.core.values import CENT, text_of
from rebalancer.performance.fees import NEW_YORK
from rebalancer.performance.records import Fill, asset_class

NOT_LISTED: Final = "order:"  # ids of fills that the broker's list does not have yet: they will come under another one


def exportable(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """What can be sent: shares, listed by the broker, so that the id stays the same. Coins are not in its format."""
    return tuple(f for f in fills if not f.id.startswith(NOT_LISTED) and asset_class(f.symbol) == "us_equity")


def execution_of(fill: Fill) -> dict[str, str]:
    """One row of an import. The time is New York's, with its offset; a sale has a negative quantity."""
    return {
        "datetime": fill.at.astimezone(NEW_YORK).isoformat(timespec="seconds"),
        "symbol": fill.symbol,
        "quantity": text_of(fill.qty),
        "price": text_of(fill.price),
        "option": "",
        "commission": "0.00",
        "transfee": text_of(fill.fee.quantize(CENT)),
        "ecnfee": "0.00",
    }
