"""`run-now` and `plan`: one cycle now, shown as a table or as JSON, with its report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.connection import connected
from rebalancer.cli.errors import said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.progress import progress
from rebalancer.cli.screen import errors_first, log_to_stderr, terminal_width, wants_colour, warn
from rebalancer.cli.signals import say_stopping
from rebalancer.core.errors import BrokerUnavailable, LockHeld
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.units import in_units, quantity_title
from rebalancer.report.paths import shown_path

if TYPE_CHECKING:
    from rebalancer.cli.selection import SelectionOptions
    from rebalancer.core.decisions import Plan
    from rebalancer.core.facts import Snapshot
    from rebalancer.core.rules import Rules
    from rebalancer.report.records import RunRecord
    from rebalancer.session.stop import Stopping

WRITES: Final = frozenset({"submit", "submit_pair", "cancel"})  # calls to the broker that change something


def run_and_show(
    config: Sequence[Path] | None,
    chosen: SelectionOptions,
    *,
    dry_run: bool,
    as_json: bool,
    colour: bool,
    exit_code: bool,
    agreed: Path | None = None,
    tolerance: str | None = None,
    save: Path | None = None,
) -> int:
    """Run one cycle, print what it did, write its report. Returns the exit code.

    agreed: a plan file; nothing else is carried out. save: where the plan is written. SIGTERM and SIGINT end a cycle
    that may trade in an orderly way: nothing new is sent, orders in flight are recorded, every signal gets its verdict,
    exits are placed again. The exit code is 143 or 130 when the signal came before the cycle had ended, unless the
    cycle halted or something else needs a person: that keeps its own code.
    """
    from rebalancer.session.stop import NEVER, Stop

    def run(stopping: Stopping) -> int:
        return _run_and_show(
            config, chosen, stopping, dry_run=dry_run, as_json=as_json, colour=colour and wants_colour(),
            exit_code=exit_code, agreed=agreed, tolerance=tolerance, save=save,
        )  # fmt: skip

    if dry_run:
        return run(NEVER)
    stop = Stop("run", say_stopping)
    with stop.on_signals():
        try:
            code = run(stop)
        except (BrokerUnavailable, LockHeld) as error:
            if stop.exit_code is None:
                raise
            code = said(error, stop.exit_code)
        sys.stdout.flush()  # after this block a signal ends the process immediately
    return code


def _run_and_show(
    config: Sequence[Path] | None,
    chosen: SelectionOptions,
    stopping: Stopping,
    *,
    dry_run: bool,
    as_json: bool,
    colour: bool,
    exit_code: bool,
    agreed: Path | None,
    tolerance: str | None,
    save: Path | None,
) -> int:
    from rebalancer.cli.approved_plan import narrow_to, refused, save_plan
    from rebalancer.cli.selection import narrowed
    from rebalancer.ops.run_lock import RunLock
    from rebalancer.report.document import json_of
    from rebalancer.report.files import ReportNotWritten, write_report
    from rebalancer.report.text import plan_table, run_table
    from rebalancer.session.alert_delivery import deliver_now
    from rebalancer.session.approved_plan import NotAgreed
    from rebalancer.session.execute import execute
    from rebalancer.session.names import refuse_strange_sectors, selection_words
    from rebalancer.session.setup import banner, load_setup

    log_to_stderr()
    narrow = narrow_to(agreed, tolerance)
    setup = narrowed(load_setup(config), chosen)
    refuse_strange_sectors(setup)
    before = [f"warning: {warning}" for warning in setup.loaded.warnings]
    if setup.environment.is_production or setup.profile:
        before.append(f"environment: {banner(setup)}")
    label = "planning" if dry_run else "rebalancing"
    try:
        with (
            errors_first(before) as write_before,
            RunLock(setup.state / "run.lock"),
            connected(setup) as connection,
            progress(label) as shown,
        ):

            def heard(call: str) -> None:
                if call in WRITES:
                    write_before()
                shown(call)

            if (why := stopping.reason()) is not None:
                sys.stderr.write(f"nothing was started: {why}\n")
                return ExitCode.DONE if stopping.exit_code is None else stopping.exit_code
            record = execute(setup, connection, dry_run=dry_run, narrow=narrow, stopping=stopping, heard=heard)
            stopped = stopping.exit_code  # a signal that comes later ends nothing early
    except NotAgreed as error:
        assert agreed is not None
        return refused(agreed, error, as_json=as_json)
    if save is not None:
        save_plan(save, record.plan)
    written, unwritten = "", []
    try:
        written = f"report: {shown_path(write_report(record, setup.reports).html_path)}\n"
    except ReportNotWritten as error:  # trading is done and stays done
        unwritten = [f"the report was not written: {error}"]
    (sys.stderr if as_json else sys.stdout).write(_sample_line(record, setup.rules))
    if as_json:
        sys.stdout.write(json_of(record))
    else:
        show = plan_table if dry_run else run_table
        sys.stdout.write(show(record, width=terminal_width(), colour=colour))
    warn(selection_words(setup.rules, {row.symbol for row in record.snapshot.instruments}))
    sys.stderr.write(written)
    warn(unwritten)
    if not dry_run:
        deliver_now(setup, record.snapshot.account.id)
    return exit_of(record, trades_due=exit_code, stopped=stopped)


def _sample_line(record: RunRecord, rules: Rules) -> str:
    """Says that the run traded on the bundled sample, and with which leverage; "" when it did not."""
    from rebalancer.signals.sample import SOURCE

    if all(signal.source != SOURCE for signal in record.snapshot.signals):
        return ""
    scaling, most = rules.position_sizing.capital_scaling, rules.position_sizing.max_total_exposure
    return f"bundled sample signals; leverage: capital {scaling:g} x equity, at most {scaling * most:g} x invested\n"


def plan_file(
    snapshot: Path,
    config: Sequence[Path] | None,
    chosen: SelectionOptions,
    *,
    as_json: bool,
    exit_code: bool,
    save: Path | None = None,
) -> int:
    """Plan a snapshot file: no network, no journal, no clock, no environment variables. Prints the plan."""
    from rebalancer.cli.selection import narrowed_rules
    from rebalancer.core.codec import read_snapshot, rules_text, seal, snapshot_text
    from rebalancer.core.input_file import read_text
    from rebalancer.core.rules import Rules
    from rebalancer.planning import plan
    from rebalancer.settings.load import load_rules

    text = read_text(snapshot)
    found = read_snapshot(text, str(snapshot))
    rules = Rules()
    if config:
        loaded = load_rules(list(config), {})
        warn(loaded.warnings)
        rules = loaded.rules
    rules = narrowed_rules(rules, chosen)
    warn(_file_warnings(rules, found))
    decided = seal(plan(found, rules), snapshot_text(found), rules_text(rules))
    if save is not None:
        from rebalancer.cli.approved_plan import save_plan

        save_plan(save, decided)
    if as_json:
        sys.stdout.write(decided.to_json() + "\n")
    else:
        sys.stdout.write(_plan_lines(decided))
    return ExitCode.TRADES_DUE if exit_code and decided.orders else ExitCode.DONE


def _plan_lines(plan: Plan) -> str:
    """A plan as plain text: orders in the order of sending, then the verdict on every signal."""
    from rebalancer.core.values import text_of
    from rebalancer.report.columns import TableRow, table

    lines = [f"{plan.cycle_id}  {plan.outcome}  {plan.because}  capital ${plan.capital:,.2f}", ""]
    if plan.orders:
        rows = [
            TableRow((o.symbol, o.phase, o.side, text_of(o.qty), f"{o.price:,.2f}", f"{o.notional:,.2f}"), "")
            for o in plan.orders
        ]
        head = ("symbol", "phase", "side", quantity_title(o.symbol for o in plan.orders), "price USD", "value USD")
        lines += table(head, "<<<>>>", rows, width=None, colour=False)
        lines.append("")
    for verdict in (*plan.verdicts, *plan.unsignalled):
        lines.append(f"{verdict.symbol:<8} {verdict.outcome:<26} {in_units(str(verdict.because), verdict.symbol)}")
    return "\n".join(lines) + "\n"


def _file_warnings(rules: Rules, snapshot: Snapshot) -> list[str]:
    """Warnings about settings that a plan made from a file ignores or that have no effect, and the effect of the
    selection on it."""
    from rebalancer.session.names import selection_words, strange_sectors
    from rebalancer.settings.environment import PREFIX

    variables = sorted(name for name in os.environ if name.startswith(PREFIX))
    said = [f"{', '.join(variables)}: not looked at; a snapshot is planned by the files of --config alone"]
    found = said if variables else []
    for name, hint in strange_sectors(rules, {row.sector for row in snapshot.instruments if row.sector}).items():
        found.append(
            f"risk_management.sector_limits.{name}: no instrument has this sector, so it limits nothing; {hint}"
        )
    return found + selection_words(rules, {row.symbol for row in snapshot.instruments})


def exit_of(record: RunRecord, *, trades_due: bool, stopped: int | None = None) -> int:
    """The exit code of a cycle. stopped: the code for a signal that ended it early; a halt keeps its own."""
    outcome = record.outcome
    if outcome is CycleOutcome.HALTED_BROKER_DOWN:
        return ExitCode.UNAVAILABLE
    if outcome.startswith("HALTED"):
        return ExitCode.HALTED
    if stopped is not None:
        return stopped
    if trades_due:
        return ExitCode.TRADES_DUE if record.plan.orders else ExitCode.DONE
    if outcome is CycleOutcome.CONSTRAINED and record.mode != "dry_run":
        return ExitCode.NOT_ALL_FILLED
    unfinished = [o for o in record.orders if o.state not in (OrderState.FILLED, OrderState.WITHHELD)]
    return ExitCode.NOT_ALL_FILLED if unfinished else ExitCode.DONE
