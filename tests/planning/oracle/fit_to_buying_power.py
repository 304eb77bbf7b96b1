"""Cut increases to the headroom under every cap, the orders left for the day and the available buying power.

Called twice with the same rules: while planning, with what the reductions are expected to leave, and again after they
have ended, with what they actually left. Every increase is counted in full, as if all of them filled; a reduction that
did not fill still counts as held. So no subset of fills, in any order, breaks a cap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.facts import Day
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import NOTHING, ReasonCode, because
from rebalancer.core.rules import Rules, Selection
from rebalancer.core.values import ZERO, decimal_near, shares_toward_zero
from rebalancer.core.venue_rules import VenueRules
from rebalancer.planning.validate_signals import Prices
from tests.planning.oracle.limit_book import LimitBook
from tests.planning.oracle.phase import Denial, Trade
from tests.planning.oracle.pricing import BASIS_POINTS


class BuyingPower:
    """The buying power left for increases and, for what cannot be bought on margin, the cash left; both in USD."""

    def __init__(self, buying_power: Decimal, cash: Decimal, coins: Set[str], rules: Rules) -> None:
        """coins: the crypto symbols, which are paid from cash."""
        keep = 1 - decimal_near(rules.risk_management.buying_power_buffer)
        liquidation = rules.selection.withdraw
        self.coins = coins
        self._power, self._cash = max(buying_power * keep - liquidation, ZERO), max(cash * keep - liquidation, ZERO)

    def left(self, symbol: str) -> Decimal:
        """What may be spent on this symbol, USD. Crypto is paid from cash."""
        return min(self._power, self._cash) if symbol in self.coins else self._power

    def spend(self, money: Decimal) -> None:
        """Deduct USD from both."""
        self._power -= money
        self._cash -= money


class Turnover:
    """The turnover left in this cycle, USD. Reductions count against it but are never denied by it."""

    def __init__(self, reductions: Sequence[Trade], capital: Decimal, selection: Selection) -> None:
        self._most = selection.max_turnover
        self._left = decimal_near(selection.max_turnover or 0.0) * capital
        self._left -= sum((_value(trade) for trade in reductions), ZERO)

    def refusal(self, trade: Trade) -> Denial | None:
        """Why the remaining turnover does not allow this trade; None when it does."""
        if self._most is None or _value(trade) <= self._left:
            return None
        why = because(ReasonCode.TURNOVER, value=_value(trade), limit=self._most)
        return Denial(Outcome.DENIED_TURNOVER, why)

    def spend(self, trade: Trade) -> None:
        """Deduct the trade's value."""
        self._left -= _value(trade)


class Budget:
    """The number of orders that may still be sent per execution, per day, and per symbol and day, counting every
    attempt. Part of the day's orders is reserved for reductions.

    Reductions are counted but never denied by these limits. The only limit on them is `most_orders`, which applies to
    all orders of a cycle: above `gate.max_orders_per_minute` the pre-trade check blocks every order until a person
    lifts the block, so one cycle never plans more than that.
    """

    def __init__(self, day: Day, rules: Rules) -> None:
        risk = rules.risk_management
        self._rules = rules
        self._sent = 0
        self._day = risk.max_orders_per_day - day.orders_sent
        self._reserved = int(risk.max_orders_per_day * risk.reserved_order_fraction)
        self._by_symbol = dict(day.orders_sent_by_symbol)

    def take(self, trade: Trade) -> Denial | None:
        """Use up one order, or return the limit that denies it."""
        denial = self._used_up(trade.symbol) if trade.phase == "increase" else None
        denial = denial or self._runaway()
        if denial is None:
            self._sent += 1
            self._day -= 1
            self._by_symbol[trade.symbol] = self._by_symbol.get(trade.symbol, 0) + 1
        return denial

    def _runaway(self) -> Denial | None:
        most = most_orders(self._rules)
        if self._sent < most:
            return None
        return Denial(Outcome.DENIED_ORDERS_PER_EXECUTION, because(ReasonCode.ORDERS_AT_ONCE, limit=most))

    def _used_up(self, symbol: str) -> Denial | None:
        risk = self._rules.risk_management
        sent = self._by_symbol.get(symbol, 0)
        if sent >= risk.max_orders_per_symbol_per_day:
            return Denial(Outcome.DENIED_ORDERS_PER_SYMBOL, because(ReasonCode.ORDERS_PER_SYMBOL, sent=sent))
        left = self._day - self._reserved
        if left <= 0:
            kept = NOTHING if self._day <= 0 else because(ReasonCode.ORDERS_RESERVED, reserved=self._reserved)
            why = because(ReasonCode.ORDERS_PER_DAY, limit=risk.max_orders_per_day).plus(kept)
            return Denial(Outcome.DENIED_ORDERS_PER_DAY, why)
        limit = self._rules.execution.max_orders_per_execution
        if self._sent >= limit:
            return Denial(Outcome.DENIED_ORDERS_PER_EXECUTION, because(ReasonCode.ORDERS_PER_EXECUTION, limit=limit))
        return None


def most_orders(rules: Rules) -> int:
    """The largest number of orders in one cycle, reductions included: what the pre-trade check lets through within a
    minute."""
    return rules.gate.max_orders_per_minute


class FittedIncreases(NamedTuple):
    """The increases that may be sent, in order, some of them cut; and the reasons why others may not."""

    trades: tuple[Trade, ...]
    denied: Mapping[str, Denial]


def fit_to_buying_power(
    trades: Sequence[Trade],
    prices: Prices,
    limits: LimitBook,
    buying_power: BuyingPower,
    budget: Budget | None,
    turnover: Turnover | None,
    rules: Rules,
) -> FittedIncreases:
    """Fit increases, highest priority first, into headroom, buying power, turnover and order limits. A trade is counted
    against all of these or, if any of them denies it, against none. Shares are rounded toward zero. If `budget` or
    `turnover` is None that limit is not applied (it was when the plan was made)."""
    kept: list[Trade] = []
    denied: dict[str, Denial] = {}
    for trade in trades:
        is_long = trade.qty > 0
        if limits.shares(trade.symbol) * trade.qty < 0:
            denied[trade.symbol] = Denial(Outcome.DENIED_NOT_AVAILABLE, because(ReasonCode.NOT_CLOSED_YET))
            continue
        asked = abs(trade.qty)
        value = asked * trade.cost
        money, cap = limits.left(trade.symbol, is_long=is_long)
        reserve = reserve_per_share(
            prices.ask[trade.symbol], rules, prices.venue, is_coin=trade.symbol in buying_power.coins, is_long=is_long
        )
        fits = asked if value <= money else shares_toward_zero(money / trade.cost, trade.lot)
        affordable = asked
        if asked * reserve > buying_power.left(trade.symbol):
            affordable = shares_toward_zero(buying_power.left(trade.symbol) / reserve, trade.lot)
        qty = min(asked, fits, affordable)
        if qty < asked and qty * trade.paid < rules.position_sizing.min_trade_size:
            if fits <= affordable:
                denied[trade.symbol] = Denial(Outcome.DENIED_CAP, because(ReasonCode.NO_ROOM_UNDER, cap=cap), cap)
            else:
                denied[trade.symbol] = Denial(
                    Outcome.DENIED_BUYING_POWER, because(ReasonCode.BUYING_POWER, left=buying_power.left(trade.symbol))
                )
            continue
        if qty < asked:
            trade = _cut(trade, qty, cap if fits <= affordable else "")
        refusal = turnover.refusal(trade) if turnover is not None else None
        refusal = refusal or (budget.take(trade) if budget is not None else None)
        if refusal is not None:
            denied[trade.symbol] = refusal
            continue
        kept.append(trade)
        limits.trade(trade.symbol, trade.qty, trade.cost)
        buying_power.spend(qty * reserve)
        if turnover is not None:
            turnover.spend(trade)
    return FittedIncreases(tuple(kept), denied)


def _cut(trade: Trade, qty: Decimal, cap: str) -> Trade:
    """The same trade with this unsigned quantity. cap: the cap that reduced it, "" for buying power."""
    if cap:
        why = because(ReasonCode.CUT_BY_CAP, asked=abs(trade.qty), qty=qty, cap=cap)
    else:
        why = because(ReasonCode.CUT_BY_BUYING_POWER, asked=abs(trade.qty), qty=qty)
    return trade._replace(qty=qty.copy_sign(trade.qty), because=trade.because.plus(why), cap=cap)


def _value(trade: Trade) -> Decimal:
    return abs(trade.qty) * trade.cost


def reserve_per_share(ask: Decimal, rules: Rules, venue: VenueRules, *, is_coin: bool, is_long: bool) -> Decimal:
    """USD of buying power that the broker reserves per share of an opening order. A limit order is counted at its limit
    price, but never below the reserve of a market order."""
    collar = venue.collar("crypto" if is_coin else "us_equity", ask, is_long=is_long)
    if rules.execution.order_type == "limit":
        collar = max(collar, 1 + decimal_near(rules.execution.limit_offset_bps) / BASIS_POINTS)
    return ask * collar
