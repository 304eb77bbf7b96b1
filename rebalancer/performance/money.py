"""Cash figures of a period: opening and closing equity, profit and costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import ZERO
from rebalancer.performance.bridge import slippage_of
from rebalancer.performance.records import AccountHistory, DayValue, Fill


class PeriodMoney(NamedTuple):
    """USD. `profit` is the change in equity net of `flows`; `roi` is the profit divided by the opening equity plus all
    deposits. Dividends, interest, fees and slippage are included in the profit."""

    opening: Decimal | None
    closing: Decimal | None
    flows: Decimal
    profit: Decimal | None
    roi: float | None
    dividends: Decimal
    interest: Decimal
    fees: Decimal
    slippage: Decimal
    traded: Decimal
    turnover: float | None
    exposure_now: float | None
    exposure_mean: float | None


def money_of(
    ledger: AccountHistory,
    begin: date | None,
    opening: Decimal | None,
    own: Sequence[DayValue],
    fills: Sequence[Fill],
) -> PeriodMoney:
    """The figures of the days after `begin`; None for all days. `own` are these days, `fills` the executions in
    them."""
    cash = [event for event in ledger.cash if begin is None or day_in_new_york(event.at) > begin]

    def total(*kinds: str) -> Decimal:
        return sum((event.amount for event in cash if event.kind in kinds), ZERO)

    closing = own[-1].equity if own else None
    flows = sum((day.flow for day in own), ZERO)
    profit = None if opening is None or closing is None else closing - opening - flows
    staked = None if opening is None else opening + sum((max(day.flow, ZERO) for day in own), ZERO)
    traded = sum((abs(fill.qty) * fill.price for fill in fills), ZERO)
    mean = sum((day.equity for day in own), ZERO) / len(own) if own else ZERO
    invested = [day.exposure for day in own if day.exposure is not None]
    return PeriodMoney(
        opening=opening,
        closing=closing,
        flows=flows,
        profit=profit,
        roi=float(profit / staked) if profit is not None and staked else None,
        dividends=total("dividend"),
        interest=total("interest"),
        fees=-total("fee", "coin_fee"),
        slippage=sum((slippage_of(fill, ledger.order_histories) for fill in fills), ZERO),
        traded=traded,
        turnover=float(traded / mean) if mean > 0 else None,
        exposure_now=invested[-1] if invested else None,
        exposure_mean=float(np.mean(invested)) if invested else None,
    )
