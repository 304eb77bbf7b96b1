"""`signals list`, `stats`, `why`, `sources`: receipts of signals, from the store beside the journal.

Each brings the store up to date first, so that it shows what is in the journal now. When that is not possible, it shows
what is there and says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rebalancer.cli.errors import day_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.progress import progress
from rebalancer.cli.screen import terminal_width, wants_colour, warn
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError
from rebalancer.core.units import amount_of, in_units
from rebalancer.core.values import symbol_of, text_of, time_text, utc_of
from rebalancer.report.columns import TableRow, table, wrap
from rebalancer.report.visible import visible
from rebalancer.signals.receipts import queries, store
from rebalancer.signals.receipts.final_outcome import EXECUTED, PENDING
from rebalancer.signals.receipts.queries import ReceiptFilter, ReceiptRow, SourceFigures
from rebalancer.signals.receipts.retention import SizeForecast, forecast
from rebalancer.signals.receipts.store import ReceiptStore

if TYPE_CHECKING:
    from rebalancer.session.setup import Setup

WAIT_SECONDS: Final = 5.0
SCHEMA: Final = "rebalancer.signals/1"
_MB: Final = 1_000_000


def wanted(*, source: str | None, symbol: str | None, outcome: str | None, since: str | None) -> ReceiptFilter:
    """The options of `list` and `stats` as a filter. Raises BadDocument for a symbol or a day that is none."""
    try:
        name = None if symbol is None else symbol_of(symbol)
    except ValueError as error:
        raise BadDocument("--symbol", str(error), "such as AAPL, BRK.B or BTC/USD") from None
    day = None if since is None else day_of("--since", since).isoformat()
    return ReceiptFilter(source, name, None if outcome is None else outcome.upper(), day)


def show_list(
    config: Sequence[Path] | None,
    chosen: ReceiptFilter,
    *,
    limit: int,
    after: str | None,
    as_json: bool,
    colour: bool,
) -> int:
    """Print one page of receipts, newest first."""
    with _opened(config) as (receipts, _):
        page = queries.page(receipts, chosen, limit, after)
    if page is None:
        return _unknown(after or "")
    if as_json:
        rows = [_row(row) for row in page.rows]
        _print({"schema": SCHEMA, "total": page.total, "next": page.next, "signals": rows})
        return ExitCode.DONE
    shown = [
        TableRow(
            (row.received_at[:19] + "Z", visible(row.source), visible(row.symbol), row.id, row.outcome), _tone(row)
        )
        for row in page.rows
    ]
    _print_table(("received", "source", "symbol", "receipt", "outcome"), "<<<<<", shown, colour)
    more = "" if page.next is None else f"; the next page: --after {page.next}"
    sys.stderr.write(f"{len(page.rows)} of {amount_of(page.total, 'signal')}{more}\n")
    return ExitCode.DONE


def show_stats(config: Sequence[Path] | None, chosen: ReceiptFilter, *, as_json: bool, colour: bool) -> int:
    """Print the figures of all sources together and of each, and the size of the store."""
    with _opened(config) as (receipts, setup):
        sources = queries.figures(receipts, chosen)
        size = forecast(receipts, setup.rules.signals.keep_days)
    every = queries.totals(sources)
    if as_json:
        _print(
            {
                "schema": SCHEMA,
                **_figures(every),
                "sources": [{"source": one.source, **_figures(one)} for one in sources],
                "store": _size(size),
            }
        )
        return ExitCode.DONE
    if not every.received:
        sys.stdout.write("no signals\n")
        return ExitCode.DONE
    rows = [TableRow(_counts(one, visible(one.source)), "") for one in sources]
    rows += [TableRow(_counts(every, "all"), "")] * (len(sources) > 1)
    _print_table(("source", "received", "pending", "admitted", "executed", "rate"), "<>>>>>", rows, colour)
    reasons = sorted(every.outcomes.items(), key=lambda item: (-item[1], item[0]))
    sys.stdout.write("\n")
    of_all = [TableRow((name, f"{n:,}", f"{n / every.received:.1%}"), "") for name, n in reasons]
    _print_table(("outcome", "signals", "share"), "<>>", of_all, colour)
    sys.stdout.write(f"\n{_size_words(size)}\n")
    if size.free is not None and size.expected > size.size + size.free:
        warn(["the disk is too small for this: set signals.keep_days lower"])
    return ExitCode.DONE


def show_why(name: str, config: Sequence[Path] | None, *, as_json: bool) -> int:
    """Print everything about one receipt. An unknown id is exit code 2."""
    with _opened(config) as (receipts, _):
        found = queries.find(receipts, name)
    if found is None:
        return _unknown(name)
    row = found.receipt
    if as_json:
        content = {"content": json.loads(row.content)} if row.kind != "refused" else {"content": row.content}
        _print({**_row(row), "orders": list(found.orders), "fills": list(found.fills), **content})
        return ExitCode.DONE
    lines = [
        f"{row.id}  {visible(row.symbol)}  {row.outcome}",
        *wrap(visible(in_units(row.because, row.symbol)), terminal_width(), "  "),
    ]
    lines.append(f"  received {row.received_at[:19]}Z from {visible(row.source)}; signal {visible(row.signal_id)}")
    if row.cycle_id is not None:
        lines.append(f"  decided in cycle {row.cycle_id}; rebalancer explain {row.symbol} --cycle {row.cycle_id}")
    lines.append(f"  {visible(row.content)}")
    for order in found.orders:
        lines.append(f"  order {order['client_order_id']}: {order['side']} {order['qty']}, {order['state']}")
        lines += [
            f"    filled {fill['qty']} at {fill['price'] or 'an unknown price'}, {str(fill['at'])[:19]}Z"
            for fill in found.fills
            if fill["client_order_id"] == order["client_order_id"]
        ]
    sys.stdout.write("\n".join(lines) + "\n")
    return ExitCode.DONE


def show_sources(config: Sequence[Path] | None, *, as_json: bool, colour: bool) -> int:
    """Print one line per source."""
    with _opened(config) as (receipts, _):
        sources = queries.figures(receipts)
    if as_json:
        rows = [
            {
                "source": one.source,
                **_figures(one),
                "first_received_at": _time(one.first_received_at),
                "last_received_at": _time(one.last_received_at),
                "last_executed_at": _time(one.last_executed_at),
            }
            for one in sources
        ]
        _print({"schema": SCHEMA, "sources": rows})
        return ExitCode.DONE
    shown = [
        TableRow(
            (
                visible(one.source),
                f"{one.received:,}",
                _rate(one),
                one.last_received_at[:16] + "Z",
                "never" if one.last_executed_at is None else one.last_executed_at[:16] + "Z",
            ),
            below=_main_reason(one.outcomes),
        )
        for one in sources
    ]
    head = ("source", "received", "rate", "last received", "last executed")
    _print_table(head, "<>><<", shown, colour)
    return ExitCode.DONE


@contextmanager
def _opened(config: Sequence[Path] | None) -> Iterator[tuple[ReceiptStore, Setup]]:
    """The store, up to date."""
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    _update(setup)
    with ReceiptStore.open(setup.state / store.NAME, WAIT_SECONDS) as receipts:
        yield receipts, setup


def _update(setup: Setup) -> None:
    """Read what is new in the journal and the inbox; a failure is a warning."""
    from rebalancer.journal import Journal
    from rebalancer.session.signal_receipts import read_new

    try:
        with progress("reading the journal"), ExitStack() as stack:
            has_journal = setup.has_journal
            journal = stack.enter_context(Journal.open(setup.journal, create=False)) if has_journal else None
            read_new(setup.state, journal, setup.rules, WAIT_SECONDS)
    except ExternalError as error:
        warn([f"what follows may be out of date: {' '.join(str(error).split())}"])


def _row(row: ReceiptRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "signal_id": row.signal_id,
        "received_at": _time(row.received_at),
        "issued_at": _time(row.issued_at),
        "source": row.source,
        "symbol": row.symbol,
        "kind": row.kind,
        "outcome": row.outcome,
        "because": row.because,
        "cycle_id": row.cycle_id,
        "content_sha256": row.content_sha256,
    }


def _figures(one: SourceFigures) -> dict[str, Any]:
    rate = one.execution_rate
    return {
        "received": one.received,
        "pending": one.pending,
        "admitted": one.admitted,
        "executed": one.executed,
        "execution_rate": None if rate is None else str(rate),
        "outcomes": dict(one.outcomes),
    }


def _size(size: SizeForecast) -> dict[str, Any]:
    return {
        "receipts": size.receipts,
        "bytes": size.size,
        "bytes_per_receipt": size.per_receipt,
        "receipts_per_day": text_of(Decimal(str(round(size.per_day, 1)))),
        "keep_days": size.days,
        "bytes_expected": size.expected,
        "bytes_free": size.free,
    }


def _size_words(size: SizeForecast) -> str:
    kept = f"kept for {size.days} days at {size.per_day:,.0f} a day they need {size.expected / _MB:,.1f} MB"
    return f"{amount_of(size.receipts, 'receipt')}, {size.size / _MB:,.1f} MB; {kept}"


def _counts(one: SourceFigures, name: str) -> tuple[str, ...]:
    return name, f"{one.received:,}", f"{one.pending:,}", f"{one.admitted:,}", f"{one.executed:,}", _rate(one)


def _rate(one: SourceFigures) -> str:
    rate = one.execution_rate
    return "" if rate is None else f"{rate:.1%}"


def _main_reason(outcomes: Mapping[str, int]) -> tuple[str, ...]:
    """The most frequent outcome that is no execution, as a line of its own."""
    others = [(-count, name) for name, count in outcomes.items() if name not in EXECUTED and name != PENDING]
    if not others:
        return ()
    count, name = min(others)
    return (f"most often not executed: {name} ({-count:,})",)


def _tone(row: ReceiptRow) -> str:
    if row.outcome in EXECUTED:
        return "ok"
    return "warn" if row.outcome.startswith(("REJECTED", "DENIED", "FROZEN", "UNKNOWN", "REFUSED")) else ""


def _time(text: str | None) -> str | None:
    """A stored time as RFC 3339, with microseconds only when there are any."""
    return None if text is None else time_text(utc_of(text))


def _unknown(name: str) -> int:
    sys.stderr.write(f"error: there is no receipt or signal {visible(name)[:80]!r}\n  hint: rebalancer signals list\n")
    return ExitCode.USAGE


def _print(document: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _print_table(head: Sequence[str], align: str, rows: Sequence[TableRow], colour: bool) -> None:
    lines = table(head, align, rows, width=terminal_width(), colour=colour and wants_colour())
    sys.stdout.write("\n".join(lines) + "\n")
