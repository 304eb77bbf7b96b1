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
from typing import TYPE_CHECKING, Literal, NamedTuple

from rebalancer.exchange.books import SMALLEST, computed_id
from rebalancer.exchange.calendar import midnight_new_york, new_york_day
from rebalancer.exchange.market.prices import Adjustment
from rebalancer.exchange.matching import NEVER
from rebalancer.values import CENT, ZERO, text_of

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange


class CorporateAction(NamedTuple):
    """A cash dividend of `rate` USD a share, or a split of `old` into `new` shares. Days are ordinals."""

    id: str
    symbol: str
    kind: Literal["dividend", "split"]
    ex_day: int
    pay_day: int
    rate: Decimal = ZERO
    new: int = 1
    old: int = 1
    entitled: Decimal = ZERO  # shares held at the ex-date, negative when short
    state: Literal["announced", "effective", "done"] = "announced"
    declared_day: int = 0  # from when on it is public


def announce_dividend(exchange: Exchange, symbol: str, ex_date: date, pay_date: date, rate: Decimal) -> CorporateAction:
    """Announce a cash dividend, USD a share. Raises ValueError when it comes too late or makes no sense."""
    if not ZERO < rate < exchange.market.last(symbol, exchange.caught_up) or pay_date < ex_date:
        raise ValueError(f"a dividend of {rate} for {symbol}, paid {pay_date}, makes no sense")
    return _announce(exchange, symbol, "dividend", ex_date, pay_date, rate=rate)


def announce_split(exchange: Exchange, symbol: str, ex_date: date, new: int, old: int) -> CorporateAction:
    """Announce a split of `old` shares into `new` ones; a reverse split when fewer. Raises ValueError as above."""
    if not (1 <= new <= 1000 and 1 <= old <= 1000) or new == old:
        raise ValueError(f"a split of {old} into {new} makes no sense")
    return _announce(exchange, symbol, "split", ex_date, ex_date, new=new, old=old)


def actions(exchange: Exchange) -> list[CorporateAction]:
    """All announced actions by ex-date."""
    return sorted((_from(*row) for row in exchange.store.corporate_actions()), key=lambda a: (a.ex_day, a.id))


def declared(exchange: Exchange, at: int) -> list[CorporateAction]:
    """The actions that are public at a moment, by ex-date."""
    return [action for action in exchange.announced if action.declared_day <= new_york_day(at)]


def adjustments(exchange: Exchange) -> dict[str, list[Adjustment]]:
    """What the actions do to prices, by symbol."""
    found: dict[str, list[Adjustment]] = {}
    for action in exchange.announced:
        row = Adjustment(action.ex_day, action.old / action.new, float(action.rate))
        found.setdefault(action.symbol, []).append(row)
    return found


def next_effect(exchange: Exchange) -> int:
    """The open at which the next action becomes effective, far away when there is none."""
    days = [a.ex_day for a in exchange.announced if a.state == "announced"]
    if not days:
        return NEVER
    return exchange.sessions.between(min(days), min(days))[0].open


def take_effect(exchange: Exchange, at: int) -> None:
    """Carry out the actions that are effective from this open on."""
    for action in exchange.announced:
        if action.state == "announced" and action.ex_day <= new_york_day(at):
            if action.kind == "split":
                _split(exchange, action, at)
                _put(exchange, action._replace(state="done"))
            else:
                held = exchange.books.held(action.symbol)
                _put(exchange, action._replace(state="effective", entitled=held))
    exchange.load_schedule()


def pay(exchange: Exchange, at: int) -> None:
    """Pay the dividends that are due at this midnight: the entitled receive, who was short pays."""
    due = [a for a in exchange.announced if a.state == "effective" and a.pay_day <= new_york_day(at)]
    for action in due:
        amount = (action.entitled * action.rate).quantize(CENT, rounding=ROUND_HALF_EVEN)
        if amount:
            words = f"cash dividend {text_of(action.rate)} a share"
            body = {"symbol": action.symbol, "qty": text_of(action.entitled), "per_share_amount": text_of(action.rate)}
            exchange.books.charge("DIV", "CDIV", amount, at, action.id, words, **body)
        _put(exchange, action._replace(state="done"))
    if due:
        exchange.load_schedule()


def plan(exchange: Exchange, rows: Iterable[CorporateAction]) -> None:
    """Put many actions on the schedule, inside the caller's transaction. Their ex-dates have sessions and lie ahead."""
    for row in rows:
        _put(exchange, row)
    exchange.load_schedule()


def action_id(seed: int, symbol: str, kind: str, ex_day: int) -> str:
    """The id of an action: equal schedules carry equal ids."""
    return computed_id(seed, "action", symbol, kind, str(ex_day))


def _split(exchange: Exchange, action: CorporateAction, at: int) -> None:
    """Cancel the symbol's orders, change the quantity and pay cash for a fraction that the name cannot have."""
    for order in exchange.open_orders_of(action.symbol):
        if order.is_open:  # a sibling's cancellation may have closed it
            exchange.cancel(order, at, at_once=True)
    books, symbol = exchange.books, action.symbol
    held = books.held(symbol)
    if not held:
        return
    listing = exchange.market.listings[symbol]
    exact = held * action.new / action.old
    lot = SMALLEST if listing.fractionable and held > 0 else Decimal(1)
    after = exact.quantize(lot, rounding=ROUND_DOWN)
    sub_type = "FSPLIT" if action.new > action.old else "RSPLIT"
    books.split(symbol, after - held, at, action.id, sub_type, f"split {action.new} for {action.old}")
    rest = ((exact - after) * exchange.market.last(symbol, at)).quantize(CENT, rounding=ROUND_HALF_EVEN)
    if rest:
        books.charge("CIL", "", rest, at, action.id, "cash in lieu of a fraction", symbol=symbol)


def _announce(
    exchange: Exchange,
    symbol: str,
    kind: Literal["dividend", "split"],
    ex_date: date,
    pay_date: date,
    *,
    rate: Decimal = ZERO,
    new: int = 1,
    old: int = 1,
) -> CorporateAction:
    with exchange.request() as at:
        listing, ex_day = exchange.market.listings.get(symbol), ex_date.toordinal()
        if listing is None or listing.is_crypto or not exchange.sessions.between(ex_day, ex_day):
            raise ValueError(f"{symbol} on {ex_date}: a listed equity and a day with a session are needed")
        if midnight_new_york(ex_day) <= at:
            raise ValueError(f"{symbol}: the ex-date {ex_date} has begun, and prices that were seen do not change")
        if any(a.symbol == symbol and a.ex_day == ex_day for a in exchange.announced):
            raise ValueError(f"{symbol} already has a corporate action on {ex_date}")
        identity = action_id(exchange.market.seed, symbol, kind, ex_day)
        action = CorporateAction(
            identity, symbol, kind, ex_day, pay_date.toordinal(), rate, new, old, declared_day=new_york_day(at)
        )
        _put(exchange, action)
        exchange.load_schedule()
        for order in exchange.open_orders_of(symbol):
            exchange.keep(order)  # its next step may have changed with the prices
        return action


def _put(exchange: Exchange, action: CorporateAction) -> None:
    row = {"rate": str(action.rate), "new": action.new, "old": action.old, "entitled": str(action.entitled)}
    body = json.dumps(row | {"state": action.state, "declared": action.declared_day})
    exchange.store.put_corporate_action((action.id, action.symbol, action.kind, action.ex_day, action.pay_day, body))


def _from(identity: str, symbol: str, kind: str, ex_day: int, pay_day: int, body: str) -> CorporateAction:
    row = json.loads(body)
    assert kind in ("dividend", "split")
    found: Literal["dividend", "split"] = "dividend" if kind == "dividend" else "split"
    rate, entitled = Decimal(row["rate"]), Decimal(row["entitled"])
    declared_on = row.get("declared", 0)  # files of earlier versions: public since ever
    return CorporateAction(
        identity, symbol, found, ex_day, pay_day, rate, row["new"], row["old"], entitled, row["state"], declared_on
    )
