"""`lease status`: which host trades each account of the journal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.values import time_text
from rebalancer.report.numbers import masked, span_text

if TYPE_CHECKING:
    from rebalancer.journal.lease import LeaseRow


def show_leases(config: Sequence[Path] | None, *, as_json: bool) -> int:
    """Print the leases. Exit code 0, also when there is none: a journal in a file has none."""
    from rebalancer.journal.lease import read_leases
    from rebalancer.journal.place import PostgresPlace
    from rebalancer.journal.read_only import has_tables, read_only
    from rebalancer.ops.host_identity import holder_of_state, host_name
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    rows: tuple[LeaseRow, ...] = ()
    if isinstance(setup.journal, PostgresPlace):
        with read_only(setup.journal) as ask:
            rows = read_leases(ask) if has_tables(ask) else ()
    mine = holder_of_state(setup.state)
    if as_json:
        document = {
            "schema": "rebalancer.lease/1",
            "journal": str(setup.journal),
            "host": host_name(),
            "leases": [_as_json(row, mine) for row in rows],
        }
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return ExitCode.DONE
    if not isinstance(setup.journal, PostgresPlace):
        sys.stdout.write(f"{setup.journal} is a file: this host alone trades it, and needs no lease\n")
    elif not rows:
        sys.stdout.write("nobody has traded an account of this journal yet\n")
    for row in rows:
        sys.stdout.write(_in_words(row, mine))
    return ExitCode.DONE


def _as_json(row: LeaseRow, mine: str) -> dict[str, Any]:
    times = {name: time_text(getattr(row, name)) for name in ("acquired_at", "renewed_at", "expires_at", "now")}
    return {
        "account_id": row.account_id,
        "host": row.host,
        "holder": row.holder,
        "token": row.token,
        "version": row.version,
        **times,
        "valid": row.is_valid,
        "mine": row.holder == mine,
        "seconds_left": round(_seconds_left(row), 3),
    }


def _in_words(row: LeaseRow, mine: str) -> str:
    who = f"{row.host}{' (this host)' if row.holder == mine else ''}, token {row.token}"
    left = _seconds_left(row)
    if row.is_valid:
        return f"{masked(row.account_id)}  held by {who}; ends in {span_text(left)} unless renewed\n"
    return f"{masked(row.account_id)}  free; last held by {who}, until {time_text(row.expires_at)}\n"


def _seconds_left(row: LeaseRow) -> float:
    return max((row.expires_at - row.now).total_seconds(), 0.0)
