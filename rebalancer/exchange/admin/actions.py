"""What each call of the admin port does. Bodies are strict: an unknown key is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from rebalancer.core.documents import BadDocument, key_text
from rebalancer.core.values import CENT, text_of, time_text
from rebalancer.exchange import margin_watch, orders
from rebalancer.exchange.calendar import MICROS, OutsideCalendar, moment_of, new_york_day
from rebalancer.exchange.clock import SPEED_MAX
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError, not_found
from rebalancer.exchange.faults.rules import faults_of
from rebalancer.exchange.market.halts import Halt
from rebalancer.exchange.market.replay_files import DAY
from rebalancer.exchange.parameters import read_moment
from rebalancer.exchange.schedule import announce, read_item

Body = Mapping[str, Any]
_AMOUNT_MAX: Final = Decimal(10**12)
_FOR_GOOD: Final = 10 * 366 * DAY  # a halt whose end nobody knows yet


def state(exchange: Exchange) -> dict[str, object]:
    """Where everything stands."""
    with exchange.reading() as at:
        session = exchange.sessions.current(at)
        return {
            "now": time_text(moment_of(at)),
            "speed": exchange.clock.speed,
            "session_open": session is not None,
            "seed": exchange.market.seed,
            "cash": text_of(exchange.books.cash),
            "positions": {symbol: text_of(one.qty) for symbol, one in sorted(exchange.books.positions.items())},
            "open_orders": len(exchange.orders),
            "events": exchange.events.last(),
            "halted": exchange.market.halts.halted(at),
            "margin": _margin(exchange),
            "faults": exchange.faults.state(),
        }


def step_clock(exchange: Exchange, body: Body) -> dict[str, object]:
    """Step the clock by `advance_seconds` or `to` a moment, or change its `speed`. Everything due happens at once."""
    _only(body, ("advance_seconds", "to", "speed"))
    if not body or ("advance_seconds" in body and "to" in body):
        raise _wrong("give advance_seconds or to, and perhaps speed")
    now = exchange.clock.micros()
    target, speed = now, body.get("speed")
    if "advance_seconds" in body:
        seconds = body["advance_seconds"]
        if not _is_number(seconds) or not 0 <= seconds <= 1e9:
            raise _wrong(f"advance_seconds: {seconds!r} is not a number of seconds from 0 on")
        target = now + round(seconds * MICROS)
    elif "to" in body:
        found = read_moment(body["to"]) if isinstance(body["to"], str) else None
        if found is None or found < now:
            raise _wrong(f"to: {body['to']!r} is not an RFC 3339 time from {time_text(moment_of(now))} on")
        target = found
    if speed is not None and (not _is_number(speed) or not 0 <= speed <= SPEED_MAX):
        raise _wrong(f"speed: {speed!r} is not a number between 0 and {SPEED_MAX}")
    try:
        exchange.sessions.require(target)
    except OutsideCalendar as error:
        raise _wrong(str(error)) from None
    if speed is not None:
        exchange.clock.set_speed(float(speed))
    exchange.clock.advance((target - now) / MICROS)
    exchange.save_clock()
    return state(exchange)


def change_faults(exchange: Exchange, body: Body) -> list[dict[str, object]]:
    """Add rules; one of a known name replaces it. A `seed` lets every rule count anew."""
    try:
        file = faults_of(dict(body), key_text)
    except BadDocument as error:
        raise _wrong(str(error)) from None
    exchange.faults.put(file.rules, file.seed if "seed" in body else None)
    return exchange.faults.state()


def trade(exchange: Exchange, body: Body) -> dict[str, object]:
    """A human's order, through the same checks as every other."""
    return exchange.submit(body)


def cancel(exchange: Exchange, body: Body) -> dict[str, object]:
    """A human cancels an order, given its `order_id` or its `client_order_id`."""
    _only(body, ("order_id", "client_order_id"))
    if len(body) != 1 or not all(isinstance(one, str) for one in body.values()):
        raise _wrong("give order_id or client_order_id")
    ((column, value),) = body.items()
    with exchange.reading():
        order = exchange.store.order("id" if column == "order_id" else column, value)
    if order is None:
        raise not_found(f"order not found for {value[:128]}")
    orders.cancel_order(exchange, order.id)
    return orders.get_order(exchange, order.id)


def dividend(exchange: Exchange, body: Body) -> dict[str, object]:
    """Announce a cash dividend: `symbol`, `ex_date`, `pay_date`, and `rate` in USD a share."""
    return _announced(exchange, "dividends", body)


def split(exchange: Exchange, body: Body) -> dict[str, object]:
    """Announce a split of `old` shares of a `symbol` into `new` ones on an `ex_date`."""
    return _announced(exchange, "splits", body)


def borrow(exchange: Exchange, body: Body) -> dict[str, object]:
    """Let a `symbol` turn `hard_to_borrow` or `easy_to_borrow` (`status`) overnight; `from` is tomorrow if left out."""
    tomorrow = date.fromordinal(new_york_day(exchange.clock.micros()) + 1).isoformat()
    return _announced(exchange, "borrowing", {"from": tomorrow, **body})


def release(exchange: Exchange, body: Body) -> dict[str, object]:
    """Lift a restriction to closing orders, as a broker's staff would."""
    _only(body, ())
    margin_watch.release(exchange)
    return state(exchange)


def halt(exchange: Exchange, body: Body) -> dict[str, object]:
    """Halt a symbol now, or with `halted: false` let it trade again; with `start` and `end`, halt it then."""
    if "start" in body:
        return _announced(exchange, "halts", body)
    _only(body, ("symbol", "halted"))
    name, halted = body.get("symbol"), body.get("halted", True)
    if not isinstance(halted, bool):
        raise _wrong(f"halted: {halted!r} is not true or false")
    listing = exchange.find(name) if isinstance(name, str) else None
    if listing is None:
        raise _wrong(f"symbol: {name!r} is not listed")
    if halted:
        now = exchange.clock.micros()
        exchange.schedule_halt(Halt(listing.symbol, now, now + _FOR_GOOD))
    else:
        exchange.end_halts(listing.symbol)
    with exchange.reading() as at:
        return {"halted": exchange.market.halts.halted(at)}


def deposit(exchange: Exchange, body: Body) -> dict[str, object]:
    """Bring `amount` in, or with a negative amount take it out: at most the cash that is there."""
    _only(body, ("amount",))
    try:
        amount = Decimal(str(body.get("amount")))
        fits = amount.is_finite() and amount == amount.quantize(CENT) and amount != 0 and abs(amount) < _AMOUNT_MAX
    except ArithmeticError:
        fits = False
    if not fits:
        raise _wrong(f"amount: {body.get('amount')!r} is not an amount of dollars and cents, such as 500 or -12.50")
    with exchange.request() as at:
        if exchange.books.cash + amount < 0:
            raise _wrong(f"amount: there is only {text_of(exchange.books.cash)} of cash")
        number = exchange.store.execute("SELECT count(*) FROM event").fetchone()[0]
        exchange.books.fund(at, amount, f"transfer {number}")
        return {"cash": text_of(exchange.books.cash)}


def _announced(exchange: Exchange, name: str, body: Body) -> dict[str, object]:
    try:
        announce(exchange, read_item(name, body, (), key_text))
    except ValueError as error:
        raise _wrong(str(error).removeprefix(": ")) from None
    return {"announced": {key: str(value) for key, value in body.items()}}


def _margin(exchange: Exchange) -> dict[str, object]:
    """The margin call, if one stands, and why the account is restricted, if it is."""
    watch = exchange.watch
    call = None
    if watch.call_day:
        since = date.fromordinal(watch.call_day).isoformat()
        call = {"since": since, "amount": watch.amount, "closes": watch.closes}
    return {"call": call, "restricted": watch.reason or None}


def _only(body: Body, known: tuple[str, ...]) -> None:
    for key in body:
        if key not in known:
            raise _wrong(f"{key}: is not known here" + (f"; one of {', '.join(known)}" if known else ""))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _wrong(message: str) -> ApiError:
    return ApiError(422, {"message": message})
