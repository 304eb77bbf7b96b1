"""`grid` and `search`: many backtests, their ranking as text, JSON and a page."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from rebalancer.cli.backtest import SIGINT_CODE, BacktestOptions, request_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.progress import EVERY_SECONDS, spoken_progress
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.core.documents import BadDocument
from rebalancer.ops.files import put_whole
from rebalancer.report.paths import shown_path

if TYPE_CHECKING:
    from rebalancer.research.backtest import BacktestRequest
    from rebalancer.research.sweep.grid_file import GridFile
    from rebalancer.research.sweep.points import PointResult
    from rebalancer.research.sweep.run import Heard, Sweep, SweepPlan
    from rebalancer.research.sweep.summary import SweepSummary

FLOATS: Final = ("equity", "half_spread", "impact", "participation", "interest", "borrow")
RANKING_SHOWN: Final = 10


class SweepOptions(NamedTuple):
    """The options of the commands, as they were written. trials: of a search; 0 for a grid."""

    grid: Path
    out: Path
    prices: Path | None = None
    targets: Path | None = None
    signals: Path | None = None
    config: Sequence[Path] | None = None
    workers: int = 1
    scheduler: str = ""
    by: str = "sharpe"
    ledger: Path | None = None
    trials: int = 0
    batch: int = 8


class PreparedSweep(NamedTuple):
    """The file of a sweep, its base request, and where it is computed."""

    grid: GridFile
    base: BacktestRequest
    plan: SweepPlan


def show_sweep(options: SweepOptions, *, as_json: bool, colour: bool) -> int:
    """Compute what is missing, write `sweep.json` and `sweep.html`, print the result. Exits 1 when a point has no
    result, or the live planner decided otherwise at an audited bar."""
    from rebalancer.research.sweep.page import sweep_html
    from rebalancer.research.sweep.summary import RankBy, differences, summary_of

    if options.by not in get_args(RankBy):
        raise BadDocument("--by", f"{options.by!r} is unknown", f"use one of {', '.join(get_args(RankBy))}")
    ready = prepared_sweep(options)
    begun = time.perf_counter()
    try:
        with heard_by_person(options) as heard:
            sweep = _swept(ready, options, heard)
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted: what is done stays in {shown_path(options.out)}; run it again to go on\n")
        return SIGINT_CODE
    summary = summary_of(sweep, options.by)  # type: ignore[arg-type]  # checked above
    document = summary.document() | {"seconds": round(time.perf_counter() - begun, 3)}
    if not sweep.done and sweep.failures:
        raise BadDocument(str(options.grid), f"no point has a result: {sweep.failures[0][1]}", "look at the values")
    put_whole(options.out / "sweep.json", f"{json.dumps(document, indent=1)}\n".encode())
    put_whole(options.out / "sweep.html", sweep_html(summary).encode())
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(lines_of(summary, colour=colour and wants_colour())) + "\n")
    sys.stderr.write(f"written: {shown_path(options.out / 'sweep.html')}\n")
    unlike = differences(sweep.done)
    if unlike:
        sys.stderr.write(f"error: the live planner decides otherwise at {unlike} audited bars\n")
    return ExitCode.UNEXPECTED if sweep.failures or unlike else ExitCode.DONE


def prepared_sweep(options: SweepOptions) -> PreparedSweep:
    """Read the file of a sweep and what its base request needs. Raises BadDocument."""
    from rebalancer.research.sweep.grid_file import read_grid
    from rebalancer.research.sweep.run import SweepPlan
    from rebalancer.research.trial_ledger import ledger_path
    from rebalancer.session.setup import load_setup

    if options.workers < 1:
        raise BadDocument("--workers", f"{options.workers} are too few", "give 1 or more")
    grid = read_grid(options.grid)
    setup = load_setup(options.config)
    base = request_of(_backtest_options(grid, options), setup)
    if not isinstance(base.prices, Path) or not isinstance(base.instructions, Path):
        raise BadDocument("--prices", "a sweep reads files, not the journal or the broker", "save them as a file first")
    paths = {name: getattr(base, name) for name in ("prices", "instructions", "actions")}
    base = base._replace(sectors=dict(base.sectors), **{n: p and p.absolute() for n, p in paths.items()})
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadDocument("--out", f"{options.out}: {error.strerror}", "name a folder that can be written") from None
    kind = "search" if options.trials else "grid"
    ledger = ledger_path(options.ledger, setup.state)
    plan = SweepPlan(options.out.absolute(), ledger, options.workers, options.scheduler, kind)
    return PreparedSweep(grid, base, plan)


def _swept(ready: PreparedSweep, options: SweepOptions, heard: Heard) -> Sweep:
    from rebalancer.research.sweep.points import PointMaker, count_of, every_setting
    from rebalancer.research.sweep.run import run_sweep
    from rebalancer.research.sweep.search import run_search

    make = PointMaker(ready.base)
    if options.trials:
        by: Any = options.by
        return run_search(ready.grid, make, options.trials, options.batch, ready.plan, by, heard)
    count_of(ready.grid.axes)
    return run_sweep([make(keys) for keys in every_setting(ready.grid.axes)], ready.plan, heard)


def _backtest_options(grid: GridFile, options: SweepOptions) -> BacktestOptions:
    """The options of the backtest: the command line before the file, whose paths begin in its folder."""
    said = grid.options
    beside = grid.path.parent

    def path(name: str) -> Path | None:
        return beside / said[name] if name in said else None

    numbers: dict[str, float] = {}
    for name in FLOATS:
        if name in said:
            try:
                numbers[name] = float(said[name])
            except ValueError:
                raise BadDocument(f"{grid.path}: backtest.{name}", f"{said[name]!r} is no number") from None
    prices = options.prices or path("prices")
    instructions = options.targets or options.signals or path("targets") or path("signals")
    if prices is None or instructions is None:
        what = "prices" if prices is None else "targets or signals"
        raise BadDocument(str(grid.path), f"names no {what}", "give --prices and --targets, or a section backtest")
    try:
        delisted_after = int(said.get("delisted_after", "10"))
    except ValueError:
        raise BadDocument(f"{grid.path}: backtest.delisted_after", "is no number of days") from None
    return BacktestOptions(
        prices=prices,
        instructions=instructions,
        config=options.config,
        preset=said.get("preset"),
        first=said.get("from"),
        last=said.get("to"),
        free=said.get("no_costs") in ("true", "yes"),
        fill=said.get("fill", "next_open"),
        rebalance=said.get("rebalance", "every_bar"),
        equity=numbers.get("equity", 100_000.0),
        half_spread_bps=numbers.get("half_spread"),
        impact=numbers.get("impact"),
        participation=numbers.get("participation"),
        interest_rate=numbers.get("interest"),
        borrow_rate=numbers.get("borrow"),
        out=None,
        benchmark=None,
        profile_to=None,
        actions=path("actions"),
        delisted=said.get("delisted", "last_price"),
        delisted_after=delisted_after,
    )


def lines_of(summary: SweepSummary, *, colour: bool) -> list[str]:
    """The result for people, in lines."""
    from rebalancer.report.columns import TableRow, table
    from rebalancer.report.numbers import fixed, percent
    from rebalancer.research.sweep.summary import sentence, text_of

    lines = [sentence(summary), ""]
    best = summary.best
    if best is None:
        return lines
    keys = list(best.keys)
    heads = (*keys, "Sharpe", "return a year", "deepest fall", "turnover a year")
    rows = [
        TableRow(
            (
                *(text_of(one.keys.get(key)) for key in keys),
                fixed(one.figures.get("sharpe"), 2),
                percent(one.figures.get("return_a_year"), 2),
                percent(one.figures.get("max_drawdown"), 2),
                fixed(one.figures.get("turnover_a_year"), 2),
            )
        )
        for one in summary.ranking[:RANKING_SHOWN]
    ]
    lines += table(heads, "<" * len(keys) + ">>>>", rows, width=terminal_width(), colour=colour)
    among = summary.among_trials
    if among is not None and among.deflated_sharpe is not None:
        lines += ["", f"Deflated Sharpe ratio of the best {among.deflated_sharpe:.2f}: {among.note}."]
    if summary.overfitting is not None:
        lines.append(
            f"Probability of overfitting {summary.overfitting.pbo:.0%}, slope {summary.overfitting.slope:.2f}."
        )
    lines += [f"No result: {problem}" for _, problem in summary.sweep.failures[:RANKING_SHOWN]]
    return lines


@contextmanager
def heard_by_person(options: SweepOptions) -> Iterator[Heard]:
    """How many points are done, and how long the rest may take: on a terminal in one line, else a line now and then."""
    from rebalancer.report.numbers import span_text

    begun, shown, first, top = time.monotonic(), 0.0, -1, float("-inf")
    is_terminal = sys.stderr.isatty()
    with spoken_progress("sweep") as said:

        def heard(done: int, of: int, newest: Sequence[PointResult]) -> None:
            nonlocal shown, first, top
            first = done if first < 0 else first
            top = max([top, *(result.figures.get(options.by, float("-inf")) for result in newest)])
            now = time.monotonic()
            if now - shown < EVERY_SECONDS[is_terminal] and done < of:
                return
            shown = now
            each = (now - begun) / max(done - first, 1)
            left = f", about {span_text(each * (of - done))} left" if done > first and done < of else ""
            best = f"; best {options.by} {top:.3g}" if top > float("-inf") else ""
            said(f"{done:,} of {of:,} points{left}{best}")

        yield heard
