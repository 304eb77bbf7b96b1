"""`db size`: what the journal's bytes are made of, how fast it grows, and when it reaches its limit."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rebalancer.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from rebalancer.journal.size import JournalSize

SHOWN: Final = 12


def show_size(config: Sequence[Path] | None, *, as_json: bool) -> int:
    """Print the figures. Exit code 0; 2 when there is no journal yet."""
    from rebalancer.journal import Journal
    from rebalancer.journal.size import size_of
    from rebalancer.session.journal_limit import limit_of
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if not setup.has_journal:
        sys.stderr.write(f"error: nothing has been run yet in {setup.mode} mode\n  hint: rebalancer run-now\n")
        return ExitCode.USAGE
    with Journal.open(setup.journal, create=False) as journal:
        total = journal.size()
        with journal.store.asking() as ask:
            found = size_of(ask, total)
    limit, source = limit_of(setup, found.bytes)
    document = _document(found, str(setup.journal), limit, source)
    sys.stdout.write(json.dumps(document, indent=1) + "\n" if as_json else _in_words(document))
    return ExitCode.DONE


def _document(found: JournalSize, journal: str, limit: int | None, source: str) -> dict[str, Any]:
    from rebalancer.journal.size import DAYS_A_YEAR

    days = None if limit is None else found.days_until(limit)
    today = datetime.now(UTC).date()  # noqa: TID251 - a forecast begins today, by this machine's clock
    reached = None if days is None or days > 100 * DAYS_A_YEAR else (today + timedelta(days=days)).isoformat()
    return {
        "schema": "rebalancer.db-size/1",
        "journal": journal,
        "bytes": found.bytes,
        "kinds": [one._asdict() for one in found.kinds],
        "other_bytes": found.other_bytes,
        "first_day": None if found.first_day is None else found.first_day.isoformat(),
        "last_day": None if found.last_day is None else found.last_day.isoformat(),
        "rows_a_day": found.rows_a_day,
        "bytes_a_day": found.bytes_a_day,
        "days_a_week": found.days_a_week,
        "in_a_year": found.after(DAYS_A_YEAR),
        "limit": None if limit is None else {"bytes": limit, "source": source, "days": days, "reached": reached},
    }


def _in_words(found: dict[str, Any]) -> str:
    from rebalancer.report.numbers import bytes_text

    lines = [found["journal"], f"{'what':<28} {'rows':>12} {'bytes':>12}"]
    kinds = [*found["kinds"][:SHOWN]]
    rest = found["kinds"][SHOWN:]
    rows = [(f"{one['table']} {one['kind']}".strip(), f"{one['rows']:,}", one["bytes"]) for one in kinds]
    if rest:
        rows.append((f"{len(rest)} more kinds", f"{sum(r['rows'] for r in rest):,}", sum(r["bytes"] for r in rest)))
    rows += [("indexes, pages, free space", "", found["other_bytes"]), ("all", "", found["bytes"])]
    lines += [f"{name:<28} {count:>12} {bytes_text(size):>12}" for name, count, size in rows]
    if found["rows_a_day"] is not None:
        days = f"on {found['days_a_week']:.3g} days a week"
        lines.append(f"grows by {found['rows_a_day']:,.0f} events and {bytes_text(found['bytes_a_day'])} a day, {days}")
        lines.append(f"in a year {bytes_text(found['in_a_year'])}")
    limit = found["limit"]
    if limit is not None:
        when = f"reached on {limit['reached']}" if limit["reached"] else "not reached at this rate"
        lines.append(f"limit {bytes_text(limit['bytes'])} ({limit['source']}): {when}")
    return "\n".join(lines) + "\n"
