"""Corporate actions on a schedule: splits and cash dividends.

An action becomes effective at the open of its ex-date: the price path is scaled from there on, a split changes the
quantity and cancels the symbol's open orders, a dividend fixes who is entitled. Dividends are paid at the first
moment of the payment date. An action must be announced before its ex-date, since prices that were seen never change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Literal

from rebalancer.core.values import CENT, ZERO, text_of
from rebalancer.exchange.books import SMALLEST, computed_id
from rebalancer.exchange.calendar import midnight_new_york, new_york_day
from rebalancer.exchange.corporate_actions import CorporateAction
from rebalancer.exchange.groups import cancel
from rebalancer.exchange.state import State


def announce_dividend(state: State, symbol: str, ex_date: date, pay_date: date, rate: Decimal) -> CorporateAction:
    """Announce a cash dividend, USD a share. Raises ValueError when it comes too late or makes no sense."""
    if not ZERO < rate < state.market.last(symbol, state.caught_up) or pay_date < ex_date:
        raise ValueError(f"a dividend of {rate} for {symbol}, paid {pay_date}, makes no sense")
    return _announce(state, symbol, "dividend", ex_date, pay_date, rate=rate)


def announce_split(state: State, symbol: str, ex_date: date, new: int, old: int) -> CorporateAction:
    """Announce a split of `old` shares into `new` ones; a reverse split when fewer. Raises ValueError as above."""
    if not (1 <= new <= 1000 and 1 <= old <= 1000) or new == old:
        raise ValueError(f"a split of {old} into {new} makes no sense")
    return _announce(state, symbol, "split", ex_date, ex_date, new=new, old=old)


def declared(state: State, at: int) -> list[CorporateAction]:
    """The actions that are public at a moment, by ex-date."""
    return [action for action in state.announced if action.declared_day <= new_york_day(at)]


def take_effect(state: State, at: int) -> None:
    """Carry out the actions that are effective from this open on."""
    for action in state.announced:
        if action.state == "announced" and action.ex_day <= new_york_day(at):
            if action.kind == "split":
                _split(state, action, at)
                _put(state, action._replace(state="done"))
            else:
                held = state.books.held(action.symbol)
                _put(state, action._replace(state="effective", entitled=held))
    state.load_schedule()


def pay(state: State, at: int) -> None:
    """Pay the dividends that are due at this midnight: the entitled receive, who was short pays."""
    due = [a for a in state.announced if a.state == "effective" and a.pay_day <= new_york_day(at)]
    for action in due:
        amount = (action.entitled * action.rate).quantize(CENT, rounding=ROUND_HALF_EVEN)
        if amount:
            words = f"cash dividend {text_of(action.rate)} a share"
            body = {"symbol": action.symbol, "qty": text_of(action.entitled), "per_share_amount": text_of(action.rate)}
            state.books.charge("DIV", "CDIV", amount, at, action.id, words, **body)
        _put(state, action._replace(state="done"))
    if due:
        state.load_schedule()


def plan(state: State, rows: Iterable[CorporateAction]) -> None:
    """Put many actions on the schedule, inside the caller's transaction. Their ex-dates have sessions and lie ahead."""
    for row in rows:
        _put(state, row)
    state.load_schedule()


def action_id(seed: int, symbol: str, kind: str, ex_day: int) -> str:
    """The id of an action: equal schedules carry equal ids."""
    return computed_id(seed, "action", symbol, kind, str(ex_day))


def _split(state: State, action: CorporateAction, at: int) -> None:
    """Cancel the symbol's orders, change the quantity and pay cash for a fraction that the name cannot have."""
    for order in state.open_orders_of(action.symbol):
        if order.is_open:  # a sibling's cancellation may have closed it
            cancel(state, order, at, at_once=True)
    books, symbol = state.books, action.symbol
    held = books.held(symbol)
    if not held:
        return
    listing = state.market.listings[symbol]
    exact = held * action.new / action.old
    lot = SMALLEST if listing.fractionable and held > 0 else Decimal(1)
    after = exact.quantize(lot, rounding=ROUND_DOWN)
    sub_type = "FSPLIT" if action.new > action.old else "RSPLIT"
    books.split(symbol, after - held, at, action.id, sub_type, f"split {action.new} for {action.old}")
    rest = ((exact - after) * state.market.last(symbol, at)).quantize(CENT, rounding=ROUND_HALF_EVEN)
    if rest:
        books.charge("CIL", "", rest, at, action.id, "cash in lieu of a fraction", symbol=symbol)


def _announce(
    state: State,
    symbol: str,
    kind: Literal["dividend", "split"],
    ex_date: date,
    pay_date: date,
    *,
    rate: Decimal = ZERO,
    new: int = 1,
    old: int = 1,
) -> CorporateAction:
    with state.request() as at:
        listing, ex_day = state.market.listings.get(symbol), ex_date.toordinal()
        if listing is None or listing.is_crypto or not state.sessions.between(ex_day, ex_day):
            raise ValueError(f"{symbol} on {ex_date}: a listed equity and a day with a session are needed")
        if midnight_new_york(ex_day) <= at:
            raise ValueError(f"{symbol}: the ex-date {ex_date} has begun, and prices that were seen do not change")
        if any(a.symbol == symbol and a.ex_day == ex_day for a in state.announced):
            raise ValueError(f"{symbol} already has a corporate action on {ex_date}")
        identity = action_id(state.market.seed, symbol, kind, ex_day)
        action = CorporateAction(
            identity, symbol, kind, ex_day, pay_date.toordinal(), rate, new, old, declared_day=new_york_day(at)
        )
        _put(state, action)
        state.load_schedule()
        for order in state.open_orders_of(symbol):
            state.keep(order)  # its next step may have changed with the prices
        return action


def _put(state: State, action: CorporateAction) -> None:
    row = {"rate": str(action.rate), "new": action.new, "old": action.old, "entitled": str(action.entitled)}
    body = json.dumps(row | {"state": action.state, "declared": action.declared_day})
    state.store.put_corporate_action((action.id, action.symbol, action.kind, action.ex_day, action.pay_day, body))
