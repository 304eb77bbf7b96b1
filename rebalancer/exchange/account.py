"""GET /v2/account."""

from __future__ import annotations

from datetime import datetime, time

from rebalancer.core.values import ZERO
from rebalancer.exchange import charges
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.calendar import NEW_YORK, moment_of, new_york_day
from rebalancer.exchange.day_trades import day_trades
from rebalancer.exchange.state import State
from rebalancer.exchange.views import account_view, cents, day_trading_view


def account_of(state: State, at: int) -> dict[str, object]:
    """The account as it stands; with the fields that its behaviour adds."""
    created = moment_of(int(state.store.meta("created_at") or 0))
    last = state.store.day_equity_before(new_york_day(at))
    assert last is not None, "opening the account records the close before it"
    day, equity, maintenance = last
    asof = datetime.combine(datetime.fromordinal(day).date(), time(16), NEW_YORK)
    identity, numbers = computed_id(state.market.seed, "account"), state.numbers(at)
    view = account_view(identity, numbers, state.configuration, (asof, equity, maintenance), created)
    view["admin_configurations"] = state.watch.wire()
    view["crypto_tier"] = state.books.crypto_fees.tier(at).number
    if state.behaviour.charges:
        fees = charges.regulatory_fees(state, new_york_day(at), at + 1)
        view["pending_reg_taf_fees"] = cents(sum(fees.values(), ZERO))
        view["accrued_fees"] = cents(charges.accrued_interest(state))
    if state.behaviour.legacy_day_trading:
        view |= day_trading_view(numbers, day_trades(state, at))
    return view
