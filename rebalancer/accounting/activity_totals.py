"""Add up the effects of account activities on positions, cash and realised profit. Pure.

Our own orders play no part here, nor do activities of an unknown type, whose effect shows as a difference. Realised
profit is measured against average cost; a split leaves the total cost unchanged. Fees in coins are listed a day late
and are therefore inferred from the difference in coins, see `daily_close`.

Shares transferred in kind are a flow at their value on that day: incoming shares cost that value, outgoing shares leave
at it, and only their gain or loss up to then is realised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.accounting.activities import (
    COIN_FEE,
    DIVIDENDS,
    FEES,
    FLOWS,
    IN_KIND,
    INTEREST,
    is_known,
    moment_of,
    moves_shares,
)
from rebalancer.accounting.day_books import Holding, InKind
from rebalancer.brokers.protocol import Activity, BrokerFill
from rebalancer.core.values import ZERO
from rebalancer.core.venue_rules import ALPACA, VenueRules


class ActivityTotals(NamedTuple):
    """The totals of a series of activities. `positions` are the signed shares after it; money is signed USD. `coins`
    has, per crypto pair, the coins bought and the dollars for which coins were sold: the bases of fees taken at the
    fill. `flows` include the value of shares `in_kind`, which is not cash."""

    positions: Mapping[str, Decimal]
    traded: Decimal
    flows: Decimal
    fees: Decimal
    dividends: Decimal
    interest: Decimal
    other: Decimal
    realised: Decimal | None
    coins: Mapping[str, tuple[Decimal, Decimal]]
    in_kind: tuple[InKind, ...] = ()

    @property
    def cash(self) -> Decimal:
        """The change in cash, USD."""
        paid = self.flows - sum((one.value for one in self.in_kind), ZERO)
        return self.traded + paid + self.fees + self.dividends + self.interest + self.other


def total_activities(
    opening: Mapping[str, Holding],
    fills: Sequence[BrokerFill],
    others: Sequence[Activity],
    values: Mapping[str, Decimal] | None = None,
    venue: VenueRules = ALPACA,
) -> ActivityTotals:
    """Add up activities in the order in which they happened. values: signed USD value of in-kind shares by activity;
    shares without one count as zero."""
    costs = _Costs(opening)
    traded, coins, in_kind = ZERO, dict[str, tuple[Decimal, Decimal]](), list[InKind]()
    money = dict.fromkeys(("flows", "fees", "dividends", "interest", "other"), ZERO)
    in_order: list[BrokerFill | Activity] = [*fills, *others]
    for one in sorted(in_order, key=lambda a: (a.at if isinstance(a, BrokerFill) else moment_of(a), a.id)):
        if isinstance(one, BrokerFill):
            traded -= one.qty * one.price
            costs.trade(one.symbol, one.qty, one.price)
            if venue.asset_class(one.symbol) == "crypto":
                bought, sold = coins.get(one.symbol, (ZERO, ZERO))
                coins[one.symbol] = (bought + max(one.qty, ZERO), sold + max(-one.qty, ZERO) * one.price)
        elif one.type in IN_KIND:
            value = (values or {}).get(one.id, ZERO)
            if one.symbol is not None and one.qty != 0:
                in_kind.append(InKind(one.id, one.symbol, one.qty, value))
                money["flows"] += value
                costs.transfer(one.symbol, one.qty, value)
        elif one.type != COIN_FEE and is_known(one):
            money[_account_of(one)] += one.amount
            if one.symbol is not None and moves_shares(one):
                costs.change(one.symbol, one.qty)
    return ActivityTotals(
        positions=costs.shares(), traded=traded, realised=costs.realised, coins=coins, in_kind=tuple(in_kind), **money
    )


def _account_of(activity: Activity) -> str:
    if activity.type in FLOWS:
        return "flows"
    if activity.type in FEES:
        return "fees"
    if activity.type in INTEREST:
        return "interest"
    return "dividends" if activity.type in DIVIDENDS else "other"


class _Costs:
    """Positions with their total cost; `realised` becomes None at the first closing trade whose cost is unknown."""

    def __init__(self, opening: Mapping[str, Holding]) -> None:
        self._held = {s: (h.qty, h.qty * h.avg_entry_price, h.avg_entry_price > 0) for s, h in opening.items()}
        self.realised: Decimal | None = ZERO

    def trade(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Buy (+) or sell (-). A trade through zero first closes the position and then opens the opposite one."""
        held, cost, known = self._held.get(symbol, (ZERO, ZERO, True))
        if held * qty < 0:
            closing = max(min(qty, abs(held)), -abs(held))
            share = cost * -closing / held
            if not known:
                self.realised = None
            elif self.realised is not None:
                self.realised += -closing * price - share
            held, cost, qty = held + closing, cost - share, qty - closing
            known = known or held == 0
        self._held[symbol] = (held + qty, cost + qty * price, known)

    def transfer(self, symbol: str, qty: Decimal, value: Decimal) -> None:
        """Transfer shares in kind at their value; without a value, the total cost stays the same."""
        if value:
            self.trade(symbol, qty, value / qty)
        else:
            self.change(symbol, qty)

    def change(self, symbol: str, qty: Decimal) -> None:
        """Change the quantity without a price: the total cost stays the same."""
        held, cost, known = self._held.get(symbol, (ZERO, ZERO, False))
        self._held[symbol] = (held + qty, cost, known)

    def shares(self) -> dict[str, Decimal]:
        return {symbol: qty for symbol, (qty, _, _) in self._held.items() if qty != 0}
