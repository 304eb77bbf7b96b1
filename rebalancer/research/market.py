"""What a backtest is given and what it gives back: columns, one row a bar and one column a symbol.

Times are int64 nanoseconds since 1970 in UTC, strictly ascending. Symbols are sorted. Money is USD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.facts import Regime, TradingCosts
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.core.venue_rules import ALPACA, VenueRules

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Fill = Literal["next_open", "next_vwap", "next_close", "same_close"]


class Market(NamedTuple):
    """Prices of all names at all bars.

    close, open, volume, vwap, low, high: shape (bars, names); NaN where the name has no price at that bar (not yet
    listed, halted, delisted, a gap). All but `close` are None where the source has none. day: the trading day as the
    ordinal of the date in New York. is_last_of_day: the bar after it belongs to another day, or there is none.
    """

    symbols: tuple[str, ...]
    times: Integers
    close: Floats
    open: Floats | None
    volume: Floats | None
    day: Integers
    is_last_of_day: Flags
    vwap: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None

    @property
    def is_ranged(self) -> bool:
        """Whether bars have an open, a low and a high."""
        return self.open is not None and self.low is not None and self.high is not None


class Instructions(NamedTuple):
    """What a strategy said, aligned to the bars of a market: value[t] is what was known when bar t closed.

    kind: `targets` (signed weights of what `signals.weights_of` says) or `scores` (-1 to 1). value: shape (bars,
    names), already forward-filled as the format says; NaN is no opinion. confidence: the same shape, 0 to 1, or None
    for 1 everywhere. said: when each was said, nanoseconds in whole microseconds, shape (bars,) or (bars, names); None:
    at its bar. stop, goal: the stop and target prices that a signal names, NaN where it names none, shape (bars,
    names).
    """

    kind: Literal["targets", "scores"]
    value: Floats
    confidence: Floats | None = None
    said: Integers | None = None
    stop: Floats | None = None
    goal: Floats | None = None


class ActionColumns(NamedTuple):
    """Corporate actions, a row each, by bar: before the fills of the bar every share becomes new / old shares and is
    paid `cash` USD. A dividend has new and old 1; `new` is 0 where a name is delisted."""

    bar: Integers
    name: Integers
    new: Integers
    old: Integers
    cash: Floats


_NONE: Final = np.zeros(0, np.int64)
NO_ACTIONS: Final = ActionColumns(_NONE, _NONE, _NONE, _NONE, np.zeros(0))


class RecordedExits(NamedTuple):
    """The exits of a live account, a row each, by bar and time: between the cycle of the bar before and its own.
    shares: how much of the position it closed, unsigned; none before the first bar. price: USD a share, NaN where
    nobody has said it. kind: as in `tape`. at: nanoseconds."""

    bar: Integers
    name: Integers
    shares: Floats
    price: Floats
    kind: Integers
    at: Integers


NO_RECORDED_EXITS: Final = RecordedExits(_NONE, _NONE, np.zeros(0), np.zeros(0), _NONE, _NONE)


class CostModel(NamedTuple):
    """What trading and holding cost.

    A fill of share q of the bar's volume pays half_spread_bps + impact_coefficient x volatility of a day (in basis
    points) x sqrt(q), and fills at most participation_max of the volume; both only where the volume is known. fees: the
    regulatory fees of the day, rounded up per fill. borrow_rate (on shorts), interest_rate (on negative cash): a year.
    """

    half_spread_bps: float = 2.0
    impact_coefficient: float = 1.0
    participation_max: float = 0.10
    fees: bool = True
    borrow_rate: float = 0.003
    interest_rate: float = 0.065


NO_COSTS: Final = CostModel(0.0, 0.0, float("inf"), False, 0.0, 0.0)


class ReferenceColumns(NamedTuple):
    """What the live program reads once a day, for every trading day of a market.

    row: of a bar's day in the two arrays, shape (bars,). volatility: annualised, from the closes of earlier days alone,
    NaN where they are too few, shape (days, names). cluster: the place in `symbols` of the name that its correlation
    group is called after, -1 where unknown, shape (days, names). sector, given_cluster: by name, as the sectors file
    says, None where it does not; a given cluster counts instead of a computed one. regime: of every day, from the
    closes of earlier days alone; empty where nobody judges it.
    """

    row: Integers
    volatility: Floats
    cluster: NDArray[np.int32]
    sector: tuple[str | None, ...]
    given_cluster: tuple[str | None, ...]
    regime: tuple[Regime | None, ...] = ()


class AccountTerms(NamedTuple):
    """The simulated account. multiplier: buying power is multiplier x equity - gross value of the positions."""

    multiplier: Decimal = Decimal(2)
    venue: VenueRules = ALPACA


class StartOfRun(NamedTuple):
    """An account that does not begin in cash alone: USD, signed shares by symbol, and the equities from which losses
    are measured."""

    cash: Decimal
    shares: Mapping[str, Decimal]
    last_equity: Decimal
    peak_equity: Decimal


class SimulationSetup(NamedTuple):
    """All that a simulation is given. equity: USD at the first bar, in cash unless `start` says otherwise. cycles: at
    which bars a cycle runs, shape (bars,). fill: at which price orders decided at the close of bar t are filled. Of a
    record of live cycles alone: filled_at, USD a share that orders of the same bar got, shape (bars, names); worth, the
    equity that the broker reported at each bar, micro-dollars; learned, the trading costs known on each trading day, a
    row as in `ReferenceColumns`; exits, what closed positions outside of the cycles."""

    market: Market
    instructions: Instructions
    rules: Rules
    costs: CostModel
    equity: float
    fill: Fill
    cycles: Flags
    reference: ReferenceColumns
    terms: AccountTerms = AccountTerms()
    actions: ActionColumns = NO_ACTIONS
    start: StartOfRun | None = None
    filled_at: Floats | None = None
    worth: Integers | None = None
    learned: tuple[TradingCosts | None, ...] | None = None
    exits: RecordedExits = NO_RECORDED_EXITS

    def trading_costs(self, day: int) -> TradingCosts | None:
        """What is known of trading costs on a trading day: half the spread of the cost model, for every name."""
        if self.learned is not None:
            return self.learned[day]
        first: date = np.datetime64(int(self.market.times[0]), "ns").astype("datetime64[D]").item()
        return TradingCosts(first, 0, float(self.costs.half_spread_bps))


class SimulationCosts(NamedTuple):
    """What was paid over the run, in USD."""

    spread: float = 0.0
    impact: float = 0.0
    fees: float = 0.0
    interest: float = 0.0
    borrow: float = 0.0


class AuditCount(NamedTuple):
    """How many bars the live planner planned again, and at how many of them it decided otherwise. `fault`: the first
    bar at which its own last check withheld its plan, and why; "" when there is none."""

    bars: int = 0
    differences: int = 0
    fault: str = ""


class SimulationResult(NamedTuple):
    """A run from the first to the last bar.

    equity: USD at every bar after its fills, shape (bars,). turnover: sum of |traded value| / equity over the run.
    outcomes: final outcomes of names and bars by code. dividends: received less paid, USD. acted: how many positions
    had a dividend, a split, a delisting; and how many orders a split or a delisting dropped. exits: how many positions
    a stop, a target or a kill closed, how many of their bars had reached both, and how many orders waited for them.
    `fills` and `orders` count exits too.
    """

    equity: Floats
    fills: int
    turnover: float
    outcomes: dict[str, int]
    costs: SimulationCosts
    orders: int
    audit: AuditCount
    engine: Literal["compiled", "interpreted"]
    seconds: float
    dividends: float = 0.0
    acted: Mapping[str, int] = MappingProxyType({})
    exits: Mapping[str, int] = MappingProxyType({})


class EventColumns(NamedTuple):
    """What corporate actions did to positions: bar, place of the name, shares added, and USD paid to the account."""

    bar: Integers
    name: Integers
    shares: Floats
    cash: Floats


class FillColumns(NamedTuple):
    """All fills by bar: bar, place of the name, signed shares, USD a share, USD of costs, and why: 0 for the plan, 1 a
    stop, 2 a target, 3 a kill."""

    bar: Integers
    name: Integers
    shares: Floats
    price: Floats
    cost: Floats
    kind: NDArray[np.int8] = np.zeros(0, np.int8)


class SimulatedAccount(NamedTuple):
    """The account just before the cycle of a bar. shares: signed, by symbol, without zeros. last_equity: at the end of
    the day before; peak_equity: the highest so far. latched: as in `Snapshot`. equity, buying_power: as the engine
    rounds them; None is computed exactly. entry: average entry prices, USD; a position without one is taken at its
    price. stopped_out, stop_exits: as in `Snapshot`."""

    cash: Decimal
    shares: Mapping[str, Decimal] = MappingProxyType({})
    last_equity: Decimal = ZERO
    peak_equity: Decimal = ZERO
    orders_sent: int = 0
    orders_sent_by_symbol: Mapping[str, int] = MappingProxyType({})
    latched: Mapping[str, str] = MappingProxyType({})
    equity: Decimal | None = None
    buying_power: Decimal | None = None
    entry: Mapping[str, Decimal] = MappingProxyType({})
    stopped_out: Mapping[str, datetime] = MappingProxyType({})
    stop_exits: Mapping[str, datetime] = MappingProxyType({})


class EngineRun(Protocol):
    """What an engine gives back: the result, its fills, and the account before the cycle of any bar."""

    @property
    def result(self) -> SimulationResult:
        """The figures."""

    def fills(self) -> FillColumns:
        """Every fill."""

    def events(self) -> EventColumns:
        """Every corporate action of a position."""

    def account(self, bar: int) -> SimulatedAccount:
        """The account from which the cycle of a bar was decided."""


Progress = Callable[[str, int, int], object]  # told what is done now, at how many bars it is done, and of how many
Simulator = Callable[[SimulationSetup, Progress | None], EngineRun]
