"""A backtest that is in the ledger of trials before its result is shown."""

from __future__ import annotations

from pathlib import Path

from rebalancer.core.planning_keys import planning_hash
from rebalancer.ops.clock import Clock
from rebalancer.research.backtest import Backtest, BacktestRequest, run_backtest
from rebalancer.research.market import Progress, Simulator
from rebalancer.research.trial_figures import figures_of_trial, trial_of
from rebalancer.research.trial_key import trial_key
from rebalancer.research.trial_ledger import append_trials, read_trials


def recorded(
    request: BacktestRequest,
    ledger: Path,
    clock: Clock,
    engine: Simulator | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Run a backtest, append it to the ledger, and give it the figures of its trial.

    The ledger is read first, so that one which cannot be used costs no run. Raises BadDocument and Unwritable.
    """
    before = read_trials(ledger)
    append_trials(ledger, ())
    key = trial_key(request)
    run = run_backtest(request, engine, progress)
    trial = trial_of(run.setup, run.result.equity, key, "backtest", clock.wall())
    trial = trial._replace(rules=planning_hash(request.rules))
    append_trials(ledger, [trial])
    return run._replace(overfitting=figures_of_trial(trial, before))
