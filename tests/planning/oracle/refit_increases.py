"""Decide, once the reductions have ended, which planned increases may be sent, and how large.

The account has been read again and the actual fills of the reductions are known. The same caps, funding and loss limits
as in the plan are applied to them, so that no increase depends on a sale that did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Order, Plan
from rebalancer.core.facts import Account, Snapshot, coins
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.values import cents_toward_zero
from rebalancer.planning.lot_sizes import trade_lot
from rebalancer.planning.overnight_ramp import overnight_gross_limit
from rebalancer.planning.reconcile import ReconciledBook
from rebalancer.planning.trading_halt import check_trading_halt
from rebalancer.planning.validate_signals import Prices, usable_prices
from tests.planning.oracle.fit_to_buying_power import BuyingPower, fit_to_buying_power, reserve_per_share
from tests.planning.oracle.groups import group
from tests.planning.oracle.limit_book import LimitBook
from tests.planning.oracle.phase import Denial, Trade


class RefittedIncreases(NamedTuple):
    """The increases to send, in order, with their final quantities; and the denials, by client order id."""

    orders: tuple[Order, ...]
    denied: Mapping[str, Denial]


def refit_increases(
    plan: Plan,
    snapshot: Snapshot,
    book: ReconciledBook,
    rules: Rules,
    account: Account,
    filled: Mapping[str, Decimal],
) -> RefittedIncreases:
    """Fit the planned increases into what exists now.

    book: `reconcile(snapshot)`. account: read after phase one. filled: signed shares per symbol actually traded in
    phase one. Quantities are only ever reduced, rounded toward zero to the lot.
    """
    increases = [order for order in plan.orders if order.phase == "increase"]
    halt = check_trading_halt(snapshot._replace(account=account), rules)
    if halt.stop or halt.denied is not None:
        denial = Denial(halt.denied or Outcome.DENIED_RESTRICTED, halt.because)
        return RefittedIncreases((), {o.client_order_id: denial for o in increases})
    prices = usable_prices(snapshot, rules.quotes)
    instruments = {i.symbol: i for i in snapshot.instruments}
    symbols = sorted({*book.worst_case, *(t.symbol for t in plan.targets)})
    own_caps = {t.symbol: t.own_cap for t in plan.targets}
    groups = group(symbols, instruments, overnight_gross_limit(snapshot.as_of, snapshot.session, rules), rules)
    limits = LimitBook.opened(snapshot, book, prices, own_caps, groups, plan.capital)
    limits = limits.copy_with(filled.items())
    trades = [
        Trade(
            o.symbol,
            "increase",
            o.qty if o.side == "buy" else -o.qty,
            o.price,
            o.limit_price or o.price,
            trade_lot(instruments[o.symbol], rules, is_long=o.side == "buy"),
            o.drift,
            o.because,
        )
        for o in increases
    ]
    buying_power = BuyingPower(account.buying_power, account.cash, coins(snapshot.instruments), rules)
    funded = fit_to_buying_power(trades, prices, limits, buying_power, None, None, rules)
    by_symbol = {o.symbol: o for o in increases}
    return RefittedIncreases(
        tuple(
            _resized(by_symbol[t.symbol], t, prices, rules, is_coin=t.symbol in buying_power.coins)
            for t in funded.trades
        ),
        {by_symbol[symbol].client_order_id: denial for symbol, denial in funded.denied.items()},
    )


def _resized(order: Order, trade: Trade, prices: Prices, rules: Rules, *, is_coin: bool) -> Order:
    qty = abs(trade.qty)
    return order._replace(
        qty=qty,
        notional=cents_toward_zero(qty * trade.paid),
        reserve=reserve_per_share(prices.ask[trade.symbol], rules, prices.venue, is_coin=is_coin, is_long=trade.qty > 0)
        * qty,
        because=trade.because,
    )
