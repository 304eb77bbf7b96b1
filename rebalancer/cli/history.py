"""`explain`, `history` and `replay`: past cycles, read from the journal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.progress import progress
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.core.units import amount_of

if TYPE_CHECKING:
    from rebalancer.session.setup import Setup


def show_explanation(
    symbol: str, cycle_id: str | None, config: Sequence[Path] | None, *, as_json: bool, colour: bool
) -> int:
    """Print the chain of one symbol: signal, weight, caps, target, band, rounding, order, fill."""
    from rebalancer.core.documents import BadDocument, plain
    from rebalancer.core.values import symbol_of
    from rebalancer.journal import Journal
    from rebalancer.report.archive import past_record
    from rebalancer.report.symbol_lookup import remembered
    from rebalancer.report.text import explain_text
    from rebalancer.session.setup import load_setup

    try:
        name = symbol_of(symbol)
    except ValueError as error:
        raise BadDocument("explain", str(error), "such as AAPL, BRK.B or BTC/USD") from None
    setup = load_setup(config)
    if not _has_journal(setup):
        return ExitCode.USAGE
    with Journal.open(setup.journal) as journal:
        record = past_record(journal, cycle_id)
        account_id = "" if record is None else record.snapshot.account.id
        known = None if record is None else remembered(journal, setup.state, account_id, record.plan.cycle_id, name)
    if record is None or known is None:
        sys.stderr.write(f"error: there is no {'planned cycle' if cycle_id is None else f'cycle {cycle_id}'}\n")
        return ExitCode.USAGE
    if as_json:
        chain = {
            "schema": "rebalancer.explain/1",
            "cycle_id": record.plan.cycle_id,
            "symbol": name,
            "signals": [plain(s) for s in record.snapshot.signals if s.symbol == name],
            "target": next((plain(t) for t in record.plan.targets if t.symbol == name), None),
            "orders": [plain(o) for o in record.orders if o.symbol == name],
            "protection": known.protection,
            "last_orders": [plain(order) for order in known.orders],
            "source_weights": dict(known.weights),
            "rests_on": dict(known.rests_on),
            "verdicts": [plain(v) for v in (*record.verdicts, *record.plan.unsignalled) if v.symbol == name],
        }
        sys.stdout.write(json.dumps(chain, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(explain_text(name, record, known, width=terminal_width(), colour=colour and wants_colour()))
    return ExitCode.DONE


def show_history(limit: int, config: Sequence[Path] | None, *, as_json: bool, colour: bool) -> int:
    """List past cycles, newest first."""
    from rebalancer.core.documents import plain
    from rebalancer.journal import Journal
    from rebalancer.ops.paths import LOCK_NAME
    from rebalancer.ops.run_lock import holder_of
    from rebalancer.report.archive import past_summaries
    from rebalancer.report.text import history_table
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    runs, process = [], holder_of(setup.state / LOCK_NAME)
    if setup.has_journal:
        with Journal.open(setup.journal) as journal:
            runs = list(past_summaries(journal, limit, runs=process is not None))
    if process is not None:
        sys.stderr.write(f"a cycle runs now, process {process}; it is listed once it has ended\n")
    if as_json:
        document = {"schema": "rebalancer.history/1", "cycles": [plain(run) for run in runs]}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(history_table(runs, width=terminal_width(), colour=colour and wants_colour()))
    return ExitCode.DONE


def replay_cycles(cycle_id: str | None, config: Sequence[Path] | None, *, as_json: bool) -> int:
    """Plan stored cycles again. Prints on stdout every difference that must not occur, with exit code 1; nothing when
    there is none. Prints on stderr where today's planner differs from the older edition that planned a cycle. as_json:
    all of it as one document on stdout instead."""
    from rebalancer.journal import Journal
    from rebalancer.report.archive import replayed
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if not _has_journal(setup):
        return ExitCode.USAGE
    found: list[dict[str, object]] = []
    older: list[dict[str, object]] = []
    archived = 0
    with Journal.open(setup.journal) as journal, progress("planning again") as heard:
        journal.verify()
        known = [c for c in journal.cycles(None, 10_000_000) if c.plan_sha256 is not None]
        wanted = [c for c in known if cycle_id is None or c.cycle_id == cycle_id]
        if not wanted:
            sys.stderr.write(f"error: there is no planned cycle{'' if cycle_id is None else ' ' + cycle_id}\n")
            return ExitCode.USAGE
        for number, cycle in enumerate(wanted, 1):
            heard(f"cycle {number} of {len(wanted)}, {cycle.cycle_id}")
            if journal.plan_text(cycle.cycle_id, cycle.account_id) is None:
                archived += 1
                continue
            again = replayed(journal, cycle.cycle_id)
            for line in again.wrong:
                found.append({"cycle_id": cycle.cycle_id, "difference": line})
                if not as_json:
                    sys.stdout.write(f"{cycle.cycle_id}: {line}\n")
            older += [
                {"cycle_id": cycle.cycle_id, "planner_edition": again.edition, "difference": line}
                for line in again.changed
            ]
    _replay_said(len(wanted), archived, found, older, as_json=as_json)
    return ExitCode.UNEXPECTED if found else ExitCode.DONE


def _replay_said(
    cycles: int, archived: int, found: Sequence[Mapping[str, object]], older: Sequence[Mapping[str, object]], *,
    as_json: bool,
) -> None:  # fmt: skip
    """Say what a replay came to, apart from the differences that were said as they were found."""
    from rebalancer.core.decisions import PLANNER_EDITION

    if as_json:
        document = {
            "schema": "rebalancer.replay/1", "cycles": cycles, "archived": archived, "differences": found,
            "planner_edition": PLANNER_EDITION, "older_editions": older,
        }  # fmt: skip
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return
    if archived:
        sys.stderr.write(f"note: {amount_of(archived, 'cycle')} not planned again: an archive has the documents\n")
    if older:
        sys.stderr.write(f"note: this planner, edition {PLANNER_EDITION}, plans differently from older editions:\n")
    for one in older:
        sys.stderr.write(f"  {one['cycle_id']} (planner edition {one['planner_edition']}): {one['difference']}\n")


def _has_journal(setup: Setup) -> bool:
    if setup.has_journal:
        return True
    sys.stderr.write(f"error: nothing has been run yet in {setup.mode} mode\n  hint: rebalancer run-now\n")
    return False
