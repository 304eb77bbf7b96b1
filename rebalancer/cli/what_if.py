"""`replay --config OTHER`: what other rules would have decided in stored cycles."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rebalancer.cli.errors import day_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal import Journal
from rebalancer.report.columns import TableRow, table
from rebalancer.report.numbers import fixed
from rebalancer.report.what_if import WHAT_IF_SCHEMA, WhatIf, what_if
from rebalancer.session.setup import load_setup


def replay_with(config: Sequence[Path], cycle_id: str | None, since: str | None, *, as_json: bool, colour: bool) -> int:
    """Plan stored cycles with the rules of a configuration, and print what would have been decided otherwise. Nothing
    is traded or stored."""
    first = None if since is None else day_of("--since", since)
    setup = load_setup(config)
    if not setup.has_journal:
        sys.stderr.write(f"error: nothing has been run yet in {setup.mode} mode\n  hint: rebalancer run-now\n")
        return ExitCode.USAGE
    with Journal.open(setup.journal) as journal:
        wanted = [
            cycle
            for cycle in reversed(journal.cycles(None, 10_000_000))
            if cycle.plan_sha256 is not None
            and (cycle_id is None or cycle.cycle_id == cycle_id)
            and (first is None or day_in_new_york(cycle.started_at) >= first)
        ]
        if not wanted:
            sys.stderr.write(f"error: there is no planned cycle {cycle_id or f'since {since}'}\n")
            return ExitCode.USAGE
        found = what_if(journal, wanted, setup.rules)
    changed = [one for one in found if one.differs]
    if as_json:
        document = {
            "schema": WHAT_IF_SCHEMA, "cycles": len(found), "changed": len(changed),
            "differences": [one.document() for one in changed],
        }  # fmt: skip
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return ExitCode.DONE
    for one in changed:
        sys.stdout.write("\n".join(_what_if_lines(one, colour=colour and wants_colour())) + "\n\n")
    sys.stdout.write(f"{len(changed)} of {len(found)} cycles would have been decided otherwise.\n")
    return ExitCode.DONE


def _what_if_lines(one: WhatIf, *, colour: bool) -> list[str]:
    """The decision table of one cycle, only where it differs: what was, and what would have been."""

    def both(was: str, then: str) -> str:
        return was if was == then else f"{was or '-'} → {then or '-'}"

    rows = [
        TableRow(
            (
                row.symbol,
                both(fixed(row.was.weight * 100, 2), fixed(row.then.weight * 100, 2)),
                both(f"{row.was.order:f}", f"{row.then.order:f}"),
                both(row.was.outcome, row.then.outcome),
            )
        )
        for row in one.rows
    ]
    head = f"{one.cycle_id}  {both(one.was, one.then)}"
    heads = ("symbol", "weight %", "shares", "outcome")
    return [head, *table(heads, "<>><", rows, width=terminal_width(), colour=colour)] if rows else [head]
