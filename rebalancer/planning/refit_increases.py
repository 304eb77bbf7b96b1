"""Decide, once the reductions have ended, which planned increases may be sent, and how large.

The account has been read again and the actual fills of the reductions are known. The same caps, funding and loss limits
as in the plan are applied to them, so that no increase depends on a sale that did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.decisions import Order, Plan
from rebalancer.core.facts import Account, Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, cents_toward_zero
from rebalancer.planning.core.columns import Orders
from rebalancer.planning.core.decide import refit
from rebalancer.planning.decided import Denial
from rebalancer.planning.explain import cap_name, cut_reasons, refit_denial
from rebalancer.planning.pricing import reserve_per_share
from rebalancer.planning.reconcile import ReconciledBook
from rebalancer.planning.to_columns import Columns, to_columns
from rebalancer.planning.trading_halt import check_trading_halt
from rebalancer.planning.validate_signals import usable_prices

GROSS: Final = "gross"


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
    columns = to_columns(
        snapshot._replace(account=account), book, prices, {o.symbol: () for o in increases}, frozenset(), plan.capital,
        rules, denies=False, leaves=False,
        gross=next((use.limit for use in plan.limits if use.name == GROSS), None),
    )  # fmt: skip
    instruments = {i.symbol: i for i in snapshot.instruments}
    caps = {t.symbol: t.own_cap for t in plan.targets}
    found = refit(
        columns.names,
        columns.limits,
        columns.numbers,
        columns.funds,
        [caps.get(symbol, 0.0) for symbol in columns.symbols],
        [columns.at[o.symbol] for o in increases],
        _units(columns, {o.symbol: o.qty if o.side == "buy" else -o.qty for o in increases}),
        _paid(columns, increases),
        _units(columns, filled),
    )
    kept, denied = [], {}
    for order in increases:
        i = columns.at[order.symbol]
        if found.denied[i]:
            outcome, why = refit_denial(columns, found, i)
            denied[order.client_order_id] = Denial(outcome, why, cap_name(columns, i, found.cap[i]))
        else:
            reserve = reserve_per_share(order.side, instruments[order.symbol], prices, rules)
            kept.append(_resized(order, columns, found, i, reserve))
    return RefittedIncreases(tuple(kept), denied)


def _units(columns: Columns, shares: Mapping[str, Decimal]) -> list[int]:
    return [columns.units(i, shares.get(symbol, ZERO)) for i, symbol in enumerate(columns.symbols)]


def _paid(columns: Columns, increases: Sequence[Order]) -> list[int]:
    """The price at which each order is valued, in the grains of its name; 0 for a name without an order."""
    paid = [0] * len(columns.symbols)
    for order in increases:
        i = columns.at[order.symbol]
        paid[i] = columns.grains(i, order.limit_price or order.price)
    return paid


def _resized(order: Order, columns: Columns, found: Orders, i: int, reserve: Decimal) -> Order:
    is_cut = found.increase[i] != found.asked[i]
    qty = columns.shares(i, abs(found.increase[i])) if is_cut else order.qty
    return order._replace(
        qty=qty,
        notional=cents_toward_zero(qty * (order.limit_price or order.price)),
        reserve=reserve * qty,
        because=order.because.plus(cut_reasons(columns, found, i)),
    )
