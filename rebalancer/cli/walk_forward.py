"""`walk-forward`: the settings of a grid, chosen on training days and looked at on the days after them."""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from rebalancer.cli.backtest import SIGINT_CODE
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.cli.sweep import PreparedSweep, SweepOptions, heard_by_person, prepared_sweep
from rebalancer.core.documents import BadDocument, canonical_json, sha256
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.files import put_whole
from rebalancer.report.paths import shown_path

if TYPE_CHECKING:
    from rebalancer.research.sweep.run import Sweep
    from rebalancer.research.walk_forward import WalkForward

GROUPS: Final = 6
TEST_GROUPS: Final = 2


class WalkOptions(NamedTuple):
    """The windows in trading days, as `walk_forward_splits` takes them."""

    train: int
    test: int
    purge: int = 1
    embargo: int = 0
    anchored: bool = False


def show_walk_forward(options: SweepOptions, walk: WalkOptions, *, as_json: bool, colour: bool) -> int:
    """Compute the points of the grid that are missing, walk over them, and print what is left out of sample. Exits 1
    when a point has no result."""
    from rebalancer.research.purged_splits import walk_forward_splits
    from rebalancer.research.sweep.points import PointMaker, count_of, every_setting
    from rebalancer.research.sweep.run import run_sweep
    from rebalancer.research.walk_forward import walked

    ready = prepared_sweep(options)
    count_of(ready.grid.axes)
    days = _days(ready)
    try:
        splits = list(walk_forward_splits(len(days), **walk._asdict()))
    except ValueError as error:
        raise BadDocument("walk-forward", str(error), "shorten --train or --test, or give more prices") from None
    make = PointMaker(ready.base)
    try:
        with heard_by_person(options) as heard:
            sweep = run_sweep([make(keys) for keys in every_setting(ready.grid.axes)], ready.plan, heard)
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted: what is done stays in {shown_path(options.out)}; run it again to go on\n")
        return SIGINT_CODE
    if not sweep.done:
        raise BadDocument(str(options.grid), "no point has a result", "look at the values")
    found = walked(sweep.done, days, splits)
    document = found.document() | {"windows": walk._asdict(), "combinatorial": _combinatorial(sweep, walk)}
    document |= {"overfitting": _counted(found, ready, walk), "failed": len(sweep.failures)}
    put_whole(options.out / "walk-forward.json", f"{json.dumps(document, indent=1)}\n".encode())
    put_whole(options.out / "walk-forward.csv", found.equity_csv().encode())
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found, document, colour=colour and wants_colour())) + "\n")
    return ExitCode.UNEXPECTED if sweep.failures else ExitCode.DONE


def _days(ready: PreparedSweep) -> list[date]:
    from rebalancer.research.price_files import between, read_prices

    assert ready.base.prices is not None
    market = between(read_prices(ready.base.prices), ready.base.first, ready.base.last).market
    return [date.fromordinal(int(day)) for day in market.day[market.is_last_of_day]]


def _combinatorial(sweep: Sweep, walk: WalkOptions) -> dict[str, Any] | None:
    """The same choice over all combinations of test windows: how far the ratio out of sample is spread."""
    from rebalancer.research.purged_splits import combinatorial_splits, paths_of
    from rebalancer.research.sweep.summary import returns_matrix
    from rebalancer.research.walk_forward import choices

    matrix = returns_matrix(sweep.done)
    if len(matrix) < GROUPS * 4:
        return None
    splits = combinatorial_splits(len(matrix), GROUPS, TEST_GROUPS, purge=walk.purge, embargo=walk.embargo)
    found = choices(matrix, list(splits)) * np.sqrt(252)
    low, middle, high = (float(one) for one in np.quantile(found, (0.1, 0.5, 0.9)))
    return {
        "splits": len(found), "paths": paths_of(GROUPS, TEST_GROUPS), "sharpe_p10": low, "sharpe_p50": middle,
        "sharpe_p90": high, "losing": float(np.mean(found < 0)),
    }  # fmt: skip


def _counted(found: WalkForward, ready: PreparedSweep, walk: WalkOptions) -> dict[str, Any]:
    """Put the series out of sample into the ledger: it is a trial, too."""
    from rebalancer.research.trial_figures import figures_of_trial
    from rebalancer.research.trial_key import trial_key
    from rebalancer.research.trial_ledger import Trial, append_trials, read_trials

    base = trial_key(ready.base)
    config = sha256(canonical_json([base.config, repr(ready.grid.axes), list(walk)]))
    returns = found.returns.astype(np.float32).astype(np.float64)
    days = (found.days[0], found.days[-1], len(found.days))
    trial = Trial(SystemClock().wall(), "walk-forward", base._replace(config=config), days, returns)
    before = read_trials(ready.plan.ledger)
    append_trials(ready.plan.ledger, [trial])
    return figures_of_trial(trial, before).document()


def _lines(found: WalkForward, document: dict[str, Any], *, colour: bool) -> list[str]:
    """The result for people, in lines."""
    from rebalancer.report.columns import TableRow, table
    from rebalancer.report.numbers import fixed, percent
    from rebalancer.research.sweep.summary import point_text

    width = terminal_width()
    rows = [
        TableRow(
            (
                f"{fold.test[0]} to {fold.test[1]}", point_text(fold.chosen), fixed(fold.inside, 2),
                fixed(fold.outside, 2), f"{fold.rank} of {found.settings}", percent(fold.total_return, 2),
            )
        )
        for fold in found.folds
    ]  # fmt: skip
    heads = ("test window", "chosen in training", "Sharpe in", "out", "rank", "return")
    lines = table(heads, "<<>>>>", rows, width=width, colour=colour)
    out = document["out_of_sample"]
    kept = "" if found.kept is None else f"; {found.kept:.0%} of it is left"
    lines += [
        "",
        f"In training {fixed(found.inside, 2)}, after it {fixed(found.outside, 2)}{kept}. The mean rank is "
        f"{found.mean_rank:.0%} from the best (50%: chance).",
        f"All windows together: Sharpe {fixed(out['sharpe'], 2)}, deepest fall {percent(out['max_drawdown'], 2)}; the "
        f"mean of all settings {fixed(document['mean_of_all_settings']['sharpe'], 2)}, the best in hindsight "
        f"{fixed(document['best_in_hindsight']['sharpe'], 2)}.",
    ]
    for one in found.stability:
        changed = f"changed {one.changes} times" if one.changes != 1 else "changed once"
        lines.append(f"{one.key}: {changed}; {one.most_frequent} in {one.share:.0%} of the windows.")
    spread = document["combinatorial"]
    if spread is not None:
        lines.append(
            f"Over {spread['splits']} combinations of windows: Sharpe {spread['sharpe_p10']:.2f} to "
            f"{spread['sharpe_p90']:.2f} (80%), {spread['losing']:.0%} lose."
        )
    return lines
