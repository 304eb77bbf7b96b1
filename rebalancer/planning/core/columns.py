"""The columns of the core, and the numbers of the rules.

    money      micro-dollars (1e-6 USD); what is owed or used is rounded up, what is allowed is rounded down
    price      whole grains a share, the grain being the name's own: 1e-6 USD, or finer for what is cheap
    quantity   base units of the name, signed: whole shares, or a decimal fraction of one
    divisor    of the name: quantity x price / divisor is money
    rate       trillionths of capital

Group 0 is all names together; then come the sectors, the correlation groups, and last the long and the short side.
"""

from __future__ import annotations

from typing import NamedTuple

from rebalancer.planning.core.seams import Floats, Ints


class SignalRows(NamedTuple):
    """One row per signal that counts, the rows of a name together and newest first. `is_target`: the row is a target
    weight, `target`, and no score; all rows of a name are then."""

    is_target: Ints
    target: Floats
    score: Floats
    confidence: Floats
    weight: Floats
    hold: Ints


class Names(NamedTuple):
    """One row per name, in symbol order. Prices that are not known are 0, and then the name is not tradable."""

    first: Ints  # its first row in `SignalRows`; one entry more than there are names
    tradable: Ints
    may_short: Ints
    coin: Ints  # 0 no crypto, else `COIN` or `DEAR_COIN`
    is_cooling: Ints
    is_selected: Ints  # 1, or 0 when left out by `only`, -1 by `exclude`
    sector: Ints  # the group
    cluster: Ints  # the group
    volatility: Floats
    trading_cost: Floats  # one way, a fraction of the value traded; negative where it is not known
    stop_below: Ints  # the newest stop price below the price, 0 without one
    stop_above: Ints
    price: Ints  # mid, rounded up; for what cannot be traded its value
    paid_buy: Ints  # at which an order is valued
    paid_sell: Ints
    reserve_buy: Ints  # buying power that the broker reserves
    reserve_sell: Ints
    divisor: Ints
    lot_long: Ints
    lot_short: Ints
    closing_lot: Ints  # of a long; 0 when any fraction can be sold
    held: Ints
    pending: Ints  # what working orders of ours may still fill
    worst: Ints  # the largest position that any order may lead to
    available: Ints  # unsigned
    above: Ints  # money by which open orders may cost more than their shares are worth
    sent: Ints  # orders of the day
    most_reduce: Ints  # `selection.at_most`, unsigned
    most_increase: Ints


class Numbers(NamedTuple):
    """What the rules set. Floats are fractions as in `core.rules`, `_rate` trillionths, `_money` micro-dollars; a limit
    that is not set is negative."""

    method: int
    above_75: int
    neutral_holds: int
    silence_holds: int
    quorum: int  # of sources with a score
    cancels_confidence: int  # 1: what cancels out lowers the confidence
    veto: float
    targets_of_equity: int
    regime_scales_targets: int
    to_edge: int
    signal_threshold: float
    exit_threshold: float
    base_position_size: float
    max_position_size: float
    max_total_exposure: float
    volatility_target: float
    volatility_scale_min: float
    volatility_scale_max: float
    crypto_floor: float
    max_position_risk: float
    max_trade_heat: float
    capital_scaling: float
    default_stop_distance: float
    max_stop_distance: float
    max_positions: int
    max_correlated_positions: int
    band_absolute: float
    band_relative: float
    risk_aversion: float  # of the band by trading costs
    min_trade_money: int
    largest_trade_money: int
    equity_purchase_min_money: int
    crypto_order_min_money: int
    side: int  # 1 only purchases, -1 only sales, 0 both
    has_at_most: int
    turnover_rate: int
    power_kept_rate: int
    withdrawn_money: int
    orders_at_once: int
    orders_per_execution: int
    orders_reserved: int
    orders_per_symbol: int


class Funds(NamedTuple):
    """The account in micro-dollars, and what this cycle may do. `denies`: increases are not allowed; `leaves`: every
    position is being closed. What the market's regime leaves of confidence, of raw weights and of the limit on all of
    them together: trillionths, `codes.RATE` where there is none."""

    capital: int
    buying_power: int
    cash: int
    orders_left: int
    denies: int
    leaves: int
    confidence_rate: int
    gross_rate: int


class Opinions(NamedTuple):
    """What the signals say, by name. `raw` is the signed fraction of capital before any cap."""

    score: Floats
    confidence: Floats
    scale: Floats
    note: Ints
    bar: Ints
    vetoed: Ints  # 1: a source speaks strongly against the others
    raw: Floats


class Targets(NamedTuple):
    """Target weights, signed fractions of capital. `factor_silent` and `factor_spoken` have one factor a group."""

    state: Ints
    raw: Floats
    own: Floats
    own_rule: Ints
    bar: Ints
    opened: Ints  # how many were opened before it, where a limit on positions bars it
    weight: Floats
    factor_silent: Floats
    factor_spoken: Floats


class Trades(NamedTuple):
    """What the targets call for, in signed base units toward (`reduce`) and away from zero (`increase`). `paid` values
    the order and `cost` counts against caps; `urgency` is the drift in trillionths, unsigned."""

    drift: Floats
    band: Floats
    aimed: Floats
    target: Ints
    reduce: Ints
    increase: Ints
    paid: Ints
    cost: Ints
    urgency: Ints
    code: Ints


class Usage(NamedTuple):
    """What is used of every cap; changed in place as orders are counted.

    `most`: money that each group may have. `used`: money that it has, counting the largest position of each name that
    all orders may lead to (`position`, signed base units). `extra`: money by which those orders may cost more than the
    position is worth.
    """

    most: Ints
    used: Ints
    position: Ints
    extra: Ints


class Headroom(NamedTuple):
    """Money that the tightest cap of a name can still take, never negative, and which cap that is."""

    money: int
    cap: int


class Cuts(NamedTuple):
    """What is left of the increases; filled in by `fit_increases`, by name. `asked`: before, in signed base units;
    `increase`: after, 0 when denied; `denied`: the limit that did; `cap`: the cap that cut or denied it; `detail`: the
    number that goes with a denial."""

    asked: Ints
    increase: Ints
    denied: Ints
    cap: Ints
    detail: Ints


class Orders(NamedTuple):
    """What may be sent. `reduce_order` and `increase_order` are rows in the order of sending. `asked` is the increase
    before it was cut by what funds it; `detail` the number that goes with a denial."""

    reduce: Ints
    increase: Ints
    reduce_order: Ints
    increase_order: Ints
    is_relief: Ints
    asked: Ints
    denied: Ints
    cap: Ints
    detail: Ints
    used_before: Ints
    used_after: Ints
    position: Ints
    extra: Ints  # money by which working orders may cost more than `position` is worth


class Decision(NamedTuple):
    """The whole step."""

    opinions: Opinions
    targets: Targets
    trades: Trades
    orders: Orders
