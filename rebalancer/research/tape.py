"""What the loop over history reads and writes, in the units of `planning.core.columns`.

Copied beside the engine when that is compiled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rebalancer.planning.core.columns import Names
from rebalancer.planning.core.seams import Floats, Ints

SAME_CLOSE, NEXT_OPEN, NEXT_CLOSE = 0, 1, 2  # where orders fill
ABSENT, UNTRADED, PLANNED, BARRED = 250, 240, 230, 100  # `code`: not in the plan; no price; ordered; + restriction
INVALID, UNSURE, EXITED = 241, 242, 243  # stop on the wrong side; confidence too low; an exit is newer than the signal
EVER = 1_000_000  # `spare` of a bar before which no end is set
FLAT = 90  # added to a restriction or a denial that comes from `flat_by_minutes_before_close` alone
SPREAD, IMPACT, FEES, INTEREST, BORROW = 0, 1, 2, 3, 4  # kinds of costs
ORDERS, FILLS, CUT, UNFILLED, CYCLES, TURNOVER, DROPPED, EVENTS = 0, 1, 2, 3, 4, 5, 6, 7  # turnover in micro-dollars
EXITS, WITHDRAWN, BOTH = 8, 9, 10  # exits; orders that an exit dropped; bars that reached stop and target
COUNTS = 11
NO_EXITS, WATCHED, RESTING, RECORDED = 0, 1, 2, 3  # `protection.mode` off, monitor, broker; those of a live record
STOP, TARGET, FLATTEN, COUNTED = 0, 1, 2, 3  # kinds of exits; COUNTED is added to one that is an order of the day
CASH, WORTH_BEFORE, PEAK, LATCHED, ORDERS_LEFT, CAPITAL, WAITS = 0, 1, 2, 3, 4, 5, 6  # of `account`
NEXT_ACTION, NEXT_EXIT, PLACES = 7, 8, 9
TRADING_DAYS = 252.0
CENT = 10_000
EXIT_LASTS = 31 * 86_400 * 1_000_000_000  # nanoseconds for which an exit is remembered, as live
DAY_LONG = 86_400 * 1_000_000_000


class Tape(NamedTuple):
    """The history, or some bars of it. Matrices have a row a bar, from the bar `first` on, or a row a day, from the day
    `first_day` on, and a column a name; the columns `day` to `denies` always have a row for every bar.

    close, fill: prices in grains, 0 where there is none; `fill` is where the orders of the bar before fill. volume: in
    base units, 0 where it is not known. opinion: target weights or scores, NaN without one. volatility: annualised, a
    row a day. trading_cost: as in `Names`, a row a day. cluster: the correlation group, a row a day. day: the row of a
    bar in these. gross: the limit on all names together, trillionths of capital; confidence_rate, gross_rate: what the
    regime leaves, trillionths. decides: whether a cycle runs at the close of a bar. worth: what the broker said that
    the account is worth, micro-dollars; 0 where it is computed. spare: how many cycles fit before the account is to be
    flat. code, denied: filled in with how each name ended. open, high, low: where `Conditions.is_ranged`; else without
    rows. said, stop, goal: when each opinion was said, and its stop and target prices in grains, where exits or
    `Conditions.names_exits` need them. now, opens, exited: by bar its time, when its session opened, and the time that
    an exit within it is given; nanoseconds. action_bar to action_cash: a row a corporate action, as in `ActionColumns`;
    cash in grains. exit_bar to exit_at: a row a recorded exit, as in `RecordedExits`; sizes in base units, prices in
    grains, times in nanoseconds.
    """

    first: int
    close: Any
    fill: Any
    volume: Any
    opinion: Any
    confidence: Any
    first_day: int
    volatility: Any
    trading_cost: Any
    cluster: Any
    day: Any
    gross: Any
    confidence_rate: Any
    gross_rate: Any
    decides: Any
    worth: Any
    spare: Any
    code: Any
    denied: Any
    open: Any
    high: Any
    low: Any
    said: Any
    stop: Any
    goal: Any
    now: Any
    opens: Any
    exited: Any
    action_bar: Any
    action_name: Any
    action_new: Any
    action_old: Any
    action_cash: Any
    exit_bar: Any
    exit_name: Any
    exit_size: Any
    exit_price: Any
    exit_kind: Any
    exit_at: Any


class Fixed(NamedTuple):
    """What does not change over time, a row a name; and the limits of the groups. `split`, `dear`: 50 and 10,000 USD in
    the grains of the name."""

    may_short: Ints
    coin: Ints
    is_selected: Ints
    sector: Ints
    divisor: Ints
    lot_long: Ints
    lot_short: Ints
    closing_lot: Ints
    split: Ints
    dear: Ints
    limits: Ints


class Conditions(NamedTuple):
    """How orders fill, what that costs, and what the account may do. Rates are trillionths; a daily rate counts when a
    day begins."""

    fill: int
    is_target: int
    half_spread_rate: int
    impact: float  # of value: impact x volatility of a day x sqrt(quantity / volume of a day)
    participation: float  # the largest part of a bar's volume; 0: no limit
    bars_a_day: float
    sale_fee_rate: int
    share_fee_money: int
    share_fee_most_money: int
    interest_rate: int
    borrow_rate: int
    collar_low_rate: int
    collar_high_rate: int
    collar_short_rate: int
    collar_crypto_rate: int
    multiplier_rate: int
    scaling_rate: int
    orders_a_day: int
    daily_loss_kept_rate: int
    drawdown_kept_rate: int
    flattens: int
    limit_rate: int  # how far limits are beyond the price; negative: market orders
    drift_most: float  # of capital: nothing is sent while no name is farther off; negative: no such rule
    unusable_most: float  # of the names wanted; with more of them without a price nothing is decided
    least_confidence: float
    exits: int  # `NO_EXITS`, `WATCHED`, `RESTING` or `RECORDED`
    is_ranged: int  # 1: bars have open, high and low; 0: exits are looked for at the close
    is_exit_first: int  # 1: exits within a bar come before its fills
    stop_loss_rate: int
    take_profit_rate: int
    stop_limit_rate: int  # how far the limit of a resting stop is beyond it; negative: at the market
    cool_off: int  # nanoseconds; 0 until the next session, negative none
    is_lifted: int  # 1: a newer signal ends a cool-off
    names_exits: int  # 1: signals name stop and target prices


class Rows(NamedTuple):
    """One row an order, a fill, an event or an exit, in order; there is space for more. quantity: signed base units.
    more: of an order its phase (0 reduce, 1 increase), of a fill and an exit its costs and of an event what it paid, in
    micro-dollars. price: the average entry price after a fill or an event, and what an exit traded at, grains. kind: of
    an exit. The name of an event is its row in the corporate actions."""

    bar: Ints
    name: Ints
    quantity: Ints
    more: Ints
    price: Ints
    kind: Ints


class Waiting(NamedTuple):
    """What the last cycle sent, and from what it decided; the orders fill at the next bar."""

    names: Names
    limits: Ints
    own: Floats
    reduce: Ints
    increase: Ints
    reduce_order: Ints
    increase_order: Ints


class State(NamedTuple):
    """The run so far: the loop may stop after any bar and go on from here.

    account: the places from CASH on. held, price, entry, sent: by name, the last known price, the average price of the
    position and the orders of the day. exited, stopped: when the last exit and the last stop closed the name, 0 never.
    stop, goal: the prices that the signal behind the last increase named, 0 none. equity to carried: a row a bar.
    Columns are changed in place.
    """

    account: Ints
    held: Ints
    price: Ints
    entry: Ints
    sent: Ints
    exited: Ints
    stopped: Ints
    stop: Ints
    goal: Ints
    waiting: Waiting
    orders: Rows
    fills: Rows
    events: Rows
    exits: Rows
    equity: Ints
    cash: Ints
    equity_decided: Ints
    cash_decided: Ints
    halted: Ints
    carried: Ints
    counts: Ints
    costs: Ints
