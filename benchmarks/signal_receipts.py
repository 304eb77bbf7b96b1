"""A day of 100 000 signals: `python benchmarks/signal_receipts.py` prints one JSON line a measurement.

    inbox      78 deliveries of 1 282 signals, 20 sources, 500 symbols; each is on disk before it is acknowledged
    cycles     78 cycles: read the newest signals, store snapshot and verdicts in the journal, bring receipts up to date
    file       one cycle that reads all signals from a file at once
    queries    `signals list`, `stats`, `why` on that store

Memory is the peak of a process of its own for each part. At the end every signal has exactly one receipt with an
outcome; the line says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

from rebalancer.core.codec import canonical, plain, sha256
from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import time_text
from rebalancer.journal import CycleEnd, CycleStart, Intent, Journal
from rebalancer.journal.orders import Change
from rebalancer.session.signal_receipts import Moments, update_receipts
from rebalancer.signals.receipts import SignalInbox, queries, retention, store
from rebalancer.signals.receipts.store import ReceiptStore

OPENING = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
SLOTS, SOURCES, SYMBOLS = 78, 20, 500
AGE = timedelta(minutes=60)
ORDERS = 10  # of a cycle
RULES = Rules()


def symbols() -> list[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [f"Q{letters[n // 26]}{letters[n % 26]}" for n in range(SYMBOLS)]


def rows(count: int, names: Sequence[str], begin: int) -> list[dict[str, Any]]:
    """Signals of a delivery, in the order in which sources send them."""
    return [
        {"id": f"b-{n}", "symbol": names[n * 7 % SYMBOLS], "score": (n % 200 - 100) / 100, "confidence": 0.9,
         "source": f"source{n % SOURCES}"}
        for n in range(begin, begin + count)
    ]  # fmt: skip


def run_cycle(journal: Journal, moment: datetime, signals: Sequence[Signal]) -> None:
    """What a cycle writes about these signals: plan, orders, verdicts. One signal in 50 is traded."""
    cycle_id, account = moment.strftime("%Y-%m-%dT%H:%MZ"), "bench"
    text = canonical({"as_of": time_text(moment), "signals": [plain(s) for s in signals]})
    journal.begin_cycle(CycleStart(account, cycle_id, "paper", moment, "0.1.0", sha256("{}")))
    journal.record_plan(account, cycle_id, moment, text, "{}", json.dumps({"cycle": cycle_id}))
    traded = sorted({s.symbol for s in signals})[:ORDERS]
    intents = []
    for number, symbol in enumerate(traded):
        name = f"rb-{cycle_id}-{number}"
        body = canonical({"client_order_id": name})
        intents.append(Intent(name, cycle_id, "increase", symbol, "buy", Decimal(5), sha256(body), body, moment))
    journal.record_intents(account, intents)
    for state, filled in ((OrderState.OPEN, Decimal(2)), (OrderState.FILLED, Decimal(5))):
        change = Change(moment, state, filled, Decimal("101.5"), "broker", "", "")
        journal.record_orders(
            account, [(i.client_order_id, change._replace(broker_id=f"b-{i.client_order_id}")) for i in intents]
        )
    verdicts = [
        Verdict(
            s.id, s.symbol, Outcome.FILLED if s.symbol in traded else Outcome.HELD_WITHIN_BAND,
            stated("4.47 -> 4.52 %: within the band of 0.25 %; score +0.54 x confidence 0.90"),
        )
        for s in signals
    ]  # fmt: skip
    end = CycleEnd(
        account, cycle_id, moment, CycleOutcome.COMPLETED, "", {}, {}, None, {}, Decimal(100_000),
        positions_trusted=True,
    )  # fmt: skip
    journal.close_cycle(end, verdicts)


def follow(folder: Path, journal: Journal, moment: datetime) -> float:
    """Seconds that the receipts take after a cycle."""
    began = perf_counter()
    update_receipts(folder, journal, RULES, Moments(moment, moment), 5.0)
    return perf_counter() - began


def part_day(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """A day of deliveries and cycles."""
    names, inserted, read, followed, seen = symbols(), [], [], [], 0
    each = -(-count // SLOTS)
    with Journal.open(folder / "journal.sqlite") as journal, SignalInbox.open(folder / "inbox.sqlite") as inbox:
        for slot in range(SLOTS):
            moment = OPENING + timedelta(minutes=5 * slot)
            new = rows(min(each, count - slot * each), names, slot * each)
            began = perf_counter()
            receipts = inbox.receive(new, source="web", at=moment)
            inserted.append(perf_counter() - began)
            assert all(receipt.is_new for receipt in receipts)
            began = perf_counter()
            signals = inbox.current(moment, moment, AGE)
            read.append(perf_counter() - began)
            seen += len(signals)
            run_cycle(journal, moment, signals)
            followed.append(follow(folder, journal, moment))
        follow(folder, journal, OPENING + timedelta(days=1))  # what no cycle read is too old by then
    yield {
        "part": "inbox", "signals": count, "per_second": round(count / sum(inserted)),
        "delivery_ms_median": ms(statistics.median(inserted)), "delivery_ms_max": ms(max(inserted)),
    }  # fmt: skip
    yield {
        "part": "cycles", "cycles": SLOTS, "signals_read": seen, "read_ms_median": ms(statistics.median(read)),
        "receipts_ms_median": ms(statistics.median(followed)), "receipts_ms_max": ms(max(followed)),
    }  # fmt: skip
    yield {"part": "fates", **fates(folder, count)}


def part_file(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """One cycle with all signals at once."""
    names = symbols()
    signals = [
        Signal(row["id"], row["symbol"], row["score"], row["confidence"], row["source"], OPENING)
        for row in rows(count, names, 0)
    ]
    with Journal.open(folder / "journal.sqlite") as journal:
        run_cycle(journal, OPENING, signals)
        before = peak()
        first = follow(folder, journal, OPENING)
        run_cycle(journal, OPENING + timedelta(minutes=5), signals)
        again = follow(folder, journal, OPENING + timedelta(minutes=5))
    yield {
        "part": "file", "signals": count, "first_cycle_s": round(first, 2), "per_second": round(count / first),
        "next_cycle_s": round(again, 2), "peak_mb_before": before,
    }  # fmt: skip
    yield {"part": "fates", **fates(folder, count)}


def part_queries(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """Questions to a store of that size."""
    with ReceiptStore.open(folder / store.NAME, 5) as receipts:
        with receipts.database.reading() as connection:
            middle = connection.execute("SELECT id FROM receipts WHERE n = ?", (count // 2,)).fetchone()[0]
        asked: dict[str, Callable[[], object]] = {
            "list": lambda: queries.page(receipts, queries.ALL, 50),
            "list_middle": lambda: queries.page(receipts, queries.ALL, 50, middle),
            "stats": lambda: queries.figures(receipts),
            "why": lambda: queries.find(receipts, middle),
            "forecast": lambda: retention.forecast(receipts, 90),
        }
        for name, ask in asked.items():
            times = []
            for _ in range(7):
                began = perf_counter()
                ask()
                times.append(perf_counter() - began)
            yield {"part": "queries", "query": name, "ms_median": ms(statistics.median(times))}
        size = retention.forecast(receipts, 90)
        yield {"part": "size", "bytes_per_receipt": size.per_receipt, "mb": round(size.size / 1e6, 1)}
        began = perf_counter()
        removed = retention.prune(receipts, OPENING + timedelta(days=200))
        yield {"part": "prune", "removed": removed, "seconds": round(perf_counter() - began, 2)}


def fates(folder: Path, count: int) -> dict[str, Any]:
    """Every signal has exactly one receipt, and every receipt an outcome."""
    with ReceiptStore.open(folder / store.NAME, 5) as receipts, receipts.database.reading() as connection:
        found = dict(connection.execute("SELECT outcome, count(*) FROM receipts GROUP BY outcome").fetchall())
        distinct = connection.execute("SELECT count(DISTINCT signal_id) FROM receipts").fetchone()[0]
    total = sum(found.values())
    assert (total, distinct, found.get("PENDING", 0)) == (count, count, 0), found
    return {"receipts": total, "distinct": distinct, "pending": 0, "outcomes": found}


def ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def peak() -> float:
    """The largest resident memory of this process so far, MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


PARTS = {"day": part_day, "file": part_file, "queries": part_queries}


def main() -> None:
    """Run every part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=100_000)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.part:
        start = peak()
        for line in PARTS[given.part](given.folder, given.signals):
            print(json.dumps(line), flush=True)
        print(json.dumps({"part": given.part, "start_mb": start, "peak_mb": peak()}), flush=True)
        return
    with tempfile.TemporaryDirectory() as temporary:
        for part, folder in (("day", "day"), ("queries", "day"), ("file", "file")):
            place = Path(temporary) / folder
            place.mkdir(exist_ok=True)
            words = [sys.executable, __file__, "--signals", str(given.signals), "--part", part, "--folder", str(place)]
            subprocess.run(words, check=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])})


if __name__ == "__main__":
    main()
