"""The fills of the cost model for orders that were really planned: in full, at the decision's price and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Snapshot
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.planning.validate_signals import usable_prices
from rebalancer.research.fee_rates import fee_rates
from rebalancer.research.market import CostModel

BP: Final = Decimal(10_000)
CENT: Final = Decimal("0.01")


class ModelFill(NamedTuple):
    """One order as the model fills it: signed shares, USD a share, and USD of fees, zero or more."""

    symbol: str
    qty: Decimal
    price: Decimal
    fee: Decimal


def model_fills(snapshot: Snapshot, plan: Plan, rules: Rules, costs: CostModel) -> dict[str, ModelFill]:
    """Every order of a plan by our id. The price is the middle of the quote, worse by half the spread of the model; the
    impact is left out, since a snapshot has no volumes. An order without a price is not filled."""
    prices, found = decision_prices(snapshot, rules), dict[str, ModelFill]()
    day = day_in_new_york(snapshot.as_of)
    for order in plan.orders:
        price = prices.get(order.symbol)
        if price is None:
            continue
        sign = 1 if order.side == "buy" else -1
        paid = price * (1 + sign * Decimal(repr(costs.half_spread_bps)) / BP)
        sells_stock = sign < 0 and costs.fees and snapshot.venue.asset_class(order.symbol) == "us_equity"
        fee = sale_fee(day.toordinal(), order.qty, paid) if sells_stock else ZERO
        found[order.client_order_id] = ModelFill(order.symbol, sign * order.qty, paid, fee)
    return found


def decision_prices(snapshot: Snapshot, rules: Rules) -> Mapping[str, Decimal]:
    """The price of every name that the plan was made with, USD a share."""
    prices = usable_prices(snapshot, rules.quotes)
    return {**prices.value, **prices.usable}


def sale_fee(day: int, shares: Decimal, price: Decimal) -> Decimal:
    """The regulatory fees of a sale on a day, an ordinal, in USD; each rounded up to a cent."""
    rates = fee_rates(day)
    parts = (shares * price * rates.of_value, min(shares * rates.a_share, rates.a_share_most))
    return sum((-(-part // CENT) * CENT for part in parts), ZERO)
