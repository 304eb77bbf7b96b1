"""What the page of a backtest shows, computed once: growth by day, months, exposure, costs, names, assumptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from rebalancer.performance import ratios
from rebalancer.performance.benchmark import AgainstBenchmark, against
from rebalancer.performance.history import Drawdown, Year, worst_drawdowns, years_of
from rebalancer.performance.returns import drawdowns
from rebalancer.report.numbers import fixed, money, percent
from rebalancer.report.period.results import Ratio
from rebalancer.research.backtest import Backtest
from rebalancer.research.exposure import exposure_of
from rebalancer.research.market import NO_COSTS, Floats
from rebalancer.research.reference_columns import GROUP_DAYS, growth_of
from rebalancer.research.trial_figures import daily_returns

SHOWN: Final = 5  # best and worst names
UNKNOWN: Final = "unknown"
FILLS: Final = {
    "next_open": "at the open of the next bar",
    "next_vwap": "at the volume-weighted average of the next bar",
    "next_close": "at the close of the next bar",
    "same_close": "at the close they were decided on",
}
KINDS: Final = {
    "spread": "half the spread",
    "impact": "market impact",
    "fees": "regulatory fees",
    "interest": "margin interest",
    "borrow": "borrowing of shares",
}


class NameResult(NamedTuple):
    """Profit or loss of a name, or of a sector, USD after the costs of its trades."""

    name: str
    profit: float


class CostRow(NamedTuple):
    """One kind of costs: USD, as a fraction of the start equity, and of the value traded."""

    label: str
    amount: float
    of_equity: float
    of_traded: float


class BacktestFigures(NamedTuple):
    """One value a day unless said otherwise. growth: equity / start equity. drawdown: zero or less. benchmark: on the
    scale of growth, None before its first price; exposure and net: fractions of equity. turnover: value traded over the
    last 21 days / equity, a year. assumptions: sentences."""

    days: tuple[date, ...]
    growth: tuple[float, ...]
    drawdown: tuple[float, ...]
    benchmark_name: str
    benchmark: tuple[float | None, ...]
    months: tuple[Year, ...]
    ratios: tuple[Ratio, ...]
    falls: tuple[Drawdown, ...]
    exposure: tuple[float, ...]
    net: tuple[float, ...]
    turnover: tuple[float, ...]
    costs: tuple[CostRow, ...]
    best: tuple[NameResult, ...]
    worst: tuple[NameResult, ...]
    sectors: tuple[NameResult, ...]
    outcomes: tuple[tuple[str, int], ...]
    assumptions: tuple[str, ...]


def figures_of(run: Backtest, benchmark: str = "") -> BacktestFigures:
    """Everything the page shows. benchmark: a symbol of the prices; another one is left out."""
    market, setup = run.setup.market, run.setup
    ends = np.flatnonzero(market.is_last_of_day)
    days = tuple(date.fromordinal(int(day)) for day in market.day[ends])
    growth = run.result.equity[ends] / setup.equity
    returns = daily_returns(setup, run.result.equity)[1]
    gross, net, traded, profit = exposure_of(run.run.fills(), market.close, run.run.events())
    equity = np.where(run.result.equity > 0, run.result.equity, np.nan)
    other = _benchmark(run, benchmark, ends)
    total = float(traded.sum())
    return BacktestFigures(
        days=days,
        growth=tuple(growth.tolist()),
        drawdown=tuple(_by_day(run.drawdown, market.day).tolist()),
        benchmark_name=benchmark if other else "",
        benchmark=other,
        months=years_of(days, returns.tolist()),
        ratios=_ratios(run, returns, other),
        falls=worst_drawdowns(days, drawdowns(returns).tolist()),
        exposure=tuple((gross / equity)[ends].tolist()),
        net=tuple((net / equity)[ends].tolist()),
        turnover=_turnover(traded / equity, market.day),
        costs=_costs(run, total),
        best=_names(market.symbols, profit, best=True),
        worst=_names(market.symbols, profit, best=False),
        sectors=_sectors(run, profit),
        outcomes=tuple(sorted(run.result.outcomes.items(), key=lambda pair: (-pair[1], pair[0]))),
        assumptions=assumptions(run),
    )


def assumptions(run: Backtest) -> tuple[str, ...]:
    """What the result rests on, in sentences."""
    setup, costs = run.setup, run.setup.costs
    found = [
        "Every bar is a cycle." if setup.cycles.all() else f"{int(setup.cycles.sum())} of the bars are cycles.",
        f"Decisions are made at the close of a bar; orders are filled {FILLS[setup.fill]}.",
    ]
    if costs == NO_COSTS:
        found.append("Nothing costs anything.")
    else:
        found.append(
            f"A fill pays {costs.half_spread_bps:g} basis points and, where the volume is known, "
            f"{costs.impact_coefficient:g} x the volatility of a day x the square root of its share of the volume; "
            f"no more than {costs.participation_max:.0%} of a bar's volume is filled, the rest is dropped."
        )
        found.append(
            f"Fees of sales are {'paid' if costs.fees else 'not paid'}; borrowed money costs "
            f"{costs.interest_rate:.2%} a year, borrowed shares {costs.borrow_rate:.2%}."
        )
    if run.preset is not None:
        found.append(f"The preset {run.preset} lifts the limits of the rules.")
    found.append(
        f"Volatilities and correlation groups are of earlier days, the groups computed anew every {GROUP_DAYS} days; a "
        "name with too little history, or without a sector, counts in the group unknown, as live."
    )
    if setup.reference.regime:
        names = [regime.name for regime in setup.reference.regime if regime is not None]
        found.append(
            f"The market's regime of each day, from closes of earlier days, scales confidence and exposure; it changed "
            f"{sum(one != two for one, two in pairwise(names))} times."
        )
    if run.events is None:
        found.append("Prices are taken as adjusted: no dividend and no split is booked.")
    else:
        found.append(
            "Prices are taken as raw: dividends are paid on the ex-date to who held the shares before, splits change "
            f"the shares and drop their orders. Dividends came to {money(run.result.dividends)}."
        )
    found.append(
        "A bar without a price of a name does not trade it and values it at its last one "
        f"({run.acted['stale_marks']:,} marks); "
        f"{run.acted['positions_delisted']:,} positions were closed as delisted."
    )
    found.append(_exits(run))
    return (*found, *(f"{warning[0].upper()}{warning[1:]}." for warning in run.warnings))


def _exits(run: Backtest) -> str:
    """How stops and targets of single positions are simulated."""
    rules, counts = run.setup.rules.protection, run.result.exits
    if run.setup.worth is not None:
        return (
            f"Exits of single positions are those of the journal, at their prices: {counts.get('stop', 0):,} stops, "
            f"{counts.get('target', 0):,} targets, {counts.get('kill', 0):,} by a kill. Cool-off: {rules.cool_off}."
        )
    if rules.mode == "off":
        return "Single positions have no stops and no targets."
    where = (
        "reached by the low or the high of a bar; they trade at their level, or at the open where the price has jumped "
        f"over it, and the stop counts where a bar reached both ({counts.get('both_reached', 0):,} bars)"
        if run.setup.market.is_ranged
        else "looked for at the close of a bar, and trade there"
    )
    return (
        f"Stops {rules.stop_loss:.1%} and targets {rules.take_profit:.1%} from the entry, or those that a signal "
        f"names, are {where}: {counts.get('stop', 0):,} stops, {counts.get('target', 0):,} targets. Cool-off: "
        f"{rules.cool_off}."
    )


def _by_day(values: Floats, day: Any) -> Floats:
    """The lowest value of every day."""
    starts = np.flatnonzero(np.append(True, day[1:] != day[:-1]))
    return np.asarray(np.minimum.reduceat(values, starts))


def _turnover(share: Floats, day: Any, window: int = 21) -> tuple[float, ...]:
    starts = np.flatnonzero(np.append(True, day[1:] != day[:-1]))
    daily = np.add.reduceat(np.nan_to_num(share), starts)
    summed = np.cumsum(daily)
    before = np.concatenate((np.zeros(min(window, len(daily))), summed[:-window]))
    length = np.minimum(np.arange(1, len(daily) + 1), window)
    return tuple(((summed - before) / length * ratios.DAYS).tolist())


def _benchmark(run: Backtest, symbol: str, ends: Any) -> tuple[float | None, ...]:
    """The closes of the benchmark, equal to growth on its first day; nothing when the prices do not have it."""
    market = run.setup.market
    if symbol not in market.symbols:
        return ()
    name, actions = market.symbols.index(symbol), run.setup.actions
    held = np.ones(len(market.times))
    mine = (actions.name == name) & (actions.new > 0)
    np.multiply.at(held, actions.bar[mine], growth_of(market, actions)[mine])
    closes = (market.close[:, name] * np.cumprod(held))[ends]
    known = np.flatnonzero(~np.isnan(closes))
    if not known.size:
        return ()
    first = int(known[0])
    scale = float(run.result.equity[ends][first] / run.setup.equity / closes[first])
    return tuple(None if np.isnan(close) else float(close) * scale for close in closes)


def _ratios(run: Backtest, returns: Floats, other: Sequence[float | None]) -> tuple[Ratio, ...]:
    many = returns.size >= 20
    found = [Ratio("Return", run.total_return, "%", "equity at the last bar over the start equity")]
    if many:
        found += [
            Ratio("Return a year", ratios.annual_return(returns), "%", "compounded, 252 days a year"),
            Ratio("Volatility", ratios.volatility(returns), "share", "of daily returns, a year"),
            Ratio("Sharpe ratio", ratios.sharpe(returns), "", "mean over deviation of daily returns, a year"),
            *_among_trials(run),
            Ratio("Sortino ratio", ratios.sortino(returns), "", "the same with the deviation of losses"),
            Ratio("Calmar ratio", ratios.calmar(returns), "", "return a year over the deepest fall"),
            Ratio("Value at risk", ratios.value_at_risk(returns), "%", "one day in twenty was below it"),
        ]
    found.append(Ratio("Deepest fall", float(run.drawdown.min()), "%", "below the highest equity before, at any bar"))
    found.append(Ratio("Turnover a year", run.result.turnover / run.years, "", "value traded over equity; both sides"))
    known = _compared(returns, other)
    if many and known is not None:
        found += [
            Ratio("Return of the benchmark", known.benchmark_return, "%", "over the common days"),
            Ratio("Beta", known.beta, "", "against the benchmark"),
            Ratio("Alpha", known.alpha, "%", "a year, compounded"),
        ]
    return tuple(found)


def _among_trials(run: Backtest) -> list[Ratio]:
    """What the number of trials leaves of the Sharpe ratio."""
    found = run.overfitting
    if found is None:
        return []
    tried = "1 setting was tried" if found.trials == 1 else f"{found.trials:,} settings were tried"
    rows = [
        Ratio("Deflated Sharpe ratio", found.deflated_sharpe, "", f"probability that it is no luck; {tried}"),
        Ratio("Years that so many trials need", found.min_backtest_years, "", found.note),
    ]
    if found.pbo is not None:
        how = f"of {found.pbo_trials:,} settings over the same days, the best of one half fails in the other"
        rows.append(Ratio("Probability of overfitting", found.pbo, "share", how))
    return rows


def _compared(returns: Floats, other: Sequence[float | None]) -> AgainstBenchmark | None:
    pairs = [
        (returns[i], now / before - 1)
        for i, (before, now) in enumerate(pairwise(other), 1)
        if before is not None and now is not None
    ]
    if len(pairs) < 20:
        return None
    mine, theirs = np.array(pairs).T
    return against(mine, theirs)


def _costs(run: Backtest, traded: float) -> tuple[CostRow, ...]:
    paid = run.result.costs._asdict()
    rows = [(KINDS[kind], float(amount)) for kind, amount in paid.items()]
    rows.append(("all costs", sum(amount for _, amount in rows)))
    start = run.setup.equity
    return tuple(CostRow(name, a, a / start, a / traded if traded > 0 else 0.0) for name, a in rows)


def _names(symbols: Sequence[str], profit: Floats, *, best: bool) -> tuple[NameResult, ...]:
    order = sorted(range(len(symbols)), key=lambda i: (-profit[i] if best else profit[i], symbols[i]))
    kept = [i for i in order if (profit[i] > 0 if best else profit[i] < 0)]
    return tuple(NameResult(symbols[i], float(profit[i])) for i in kept[:SHOWN])


def _sectors(run: Backtest, profit: Floats) -> tuple[NameResult, ...]:
    sums: defaultdict[str, float] = defaultdict(float)
    for sector, amount in zip(run.setup.reference.sector, profit.tolist(), strict=True):
        sums[sector or UNKNOWN] += amount
    return tuple(
        NameResult(name, amount) for name, amount in sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def sentence(run: Backtest) -> str:
    """The result in one sentence."""
    stamps = run.stamps()
    fall = float(run.drawdown.min())
    paid = sum(run.result.costs)
    return (
        f"{money(run.setup.equity)} became {money(run.result.equity[-1])} from {stamps[0][:10]} to {stamps[-1][:10]}, "
        f"{percent(run.total_return, 2, sign=True)}, at worst {percent(fall, 2)} below a high; "
        f"costs were {money(paid)}."
    )


def audit_text(run: Backtest) -> str:
    """How far the live planner has checked the run."""
    audit, bars = run.result.audit, len(run.setup.market.times)
    if not audit.bars:
        return "not audited"
    unlike = f"{audit.differences} differences" if audit.differences != 1 else "1 difference"
    said = f"audited {fixed(audit.bars, 0)} of {fixed(bars, 0)} bars: {unlike}"
    return f"{said}; {audit.fault}" if audit.fault else said
