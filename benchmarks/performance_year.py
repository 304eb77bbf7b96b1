"""`performance` and every `export` over a generated year: `python -m benchmarks.performance_year`.

252 days with 10 trades a day in 50 symbols, dividends, fees and deposits, in a real journal with closed books. Each
length has a process of its own. Seconds are the processor's; memory is the peak of the process less what it had before
the first command. The last column holds the year against the month: 12 is linear growth.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from rebalancer.accounting.activities import body_of
from rebalancer.accounting.activity_totals import total_activities
from rebalancer.accounting.day_books import DayBooks, Holding, Priced, body_of_day
from rebalancer.brokers.protocol import Activity, BrokerFill
from rebalancer.core.codec import canonical, rules_text, sha256
from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Account, Instrument, Quote, Session, Signal, Snapshot
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import CENT, ZERO
from rebalancer.journal import Journal
from rebalancer.journal.records import CycleEnd, CycleStart, Intent
from rebalancer.market_data.trading_calendar import published_hours
from rebalancer.session.setup import load_setup

LENGTHS = {"month": 21, "quarter": 63, "year": 252}
TRADES, SYMBOLS = 10, tuple(f"S{n:02}" for n in range(50))
EXPORTS = ("trips", "fills", "orders", "cycles", "performance")
ROOT = Path(__file__).parents[1]
RULES = Rules.model_validate({})


class Market:
    """Prices that wander, and one account that trades in them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.prices = {s: Decimal(self.random.randint(2_000, 30_000)) / 100 for s in SYMBOLS}
        self.held = dict.fromkeys(SYMBOLS, ZERO)
        self.cash = Decimal(1_000_000)

    @property
    def equity(self) -> Decimal:
        """Cash and positions, USD."""
        return self.cash + sum((qty * self.prices[s] for s, qty in self.held.items()), ZERO)

    def move(self) -> None:
        """One day of prices."""
        for s, price in self.prices.items():
            self.prices[s] = max((price * Decimal(str(1 + self.random.gauss(0.0004, 0.015)))).quantize(CENT), CENT)

    def trade(self) -> list[tuple[str, Decimal, Decimal]]:
        """Today's trades: symbol, signed shares, price."""
        found = []
        for symbol in self.random.sample(SYMBOLS, TRADES):
            held, price = self.held[symbol], self.prices[symbol]
            qty = -held if held and self.random.random() < 0.4 else Decimal(self.random.randint(1, 60))
            self.held[symbol], self.cash = held + qty, self.cash - qty * price
            found.append((symbol, qty, price))
        return found


def write_year(journal: Journal, days: list[date]) -> None:
    """A cycle with its orders and closed books for each day."""
    market, opening, before = Market(7), dict[str, Priced](), None
    for number, day in enumerate(days):
        market.move()
        at = datetime(day.year, day.month, day.day, 15, 0, tzinfo=UTC)
        first, shares = market.equity, dict(market.held)
        begun = (at if before is None else before.closed_at, market.cash if before is None else before.closing_cash)
        before_equity = first if before is None else before.closing_equity
        fills = write_cycle(journal, f"{day}T15:00Z", at, market, number)
        others: list[Activity] = [Activity(f"{day:%Y%m%d}000000001::fee", "FEE", None, ZERO, Decimal("-0.37"), day)]
        if number % 5 == 2:
            held = next((s for s, qty in shares.items() if qty), SYMBOLS[0])
            others.append(Activity(f"{day:%Y%m%d}000000002::div", "DIV", held, shares[held], Decimal("18.40"), day))
        if number % 21 == 9:
            others.append(Activity(f"{day:%Y%m%d}110000000::in", "CSD", None, ZERO, Decimal(2500), day))
        if number == 0:
            others = []
        added = total_activities({s: Holding(qty, ZERO) for s, qty in shares.items() if qty}, fills, others)
        market.cash += added.cash - added.traded
        closed, positions = at + timedelta(hours=6, minutes=5), {s: q for s, q in market.held.items() if q}
        before = DayBooks(
            day, begun[0], closed, before_equity, market.equity, begun[1], market.cash, added.traded, added.flows,
            added.fees, added.dividends, added.interest, added.other, market.equity - before_equity - added.flows,
            None, ZERO, len(fills), {s: Holding(q, ZERO) for s, q in positions.items()}, (),
            (*(fill.id for fill in fills), *(one.id for one in others)),
            {s: market.prices[s] for s in positions}, opening,
        )  # fmt: skip
        opening = {s: Priced(q, market.prices[s]) for s, q in positions.items()}
        every: list[BrokerFill | Activity] = [*fills, *others]
        rows = [("activity", one.id, body_of(one)) for one in every]
        journal.record_events("a", None, closed, [*rows, ("day_closed", day.isoformat(), body_of_day(before))])


def write_cycle(journal: Journal, cycle_id: str, at: datetime, market: Market, number: int) -> list[BrokerFill]:
    """One cycle as a run writes it; gives the broker's fills of its orders."""
    equity = market.equity
    trades = market.trade()
    cent = CENT
    snapshot = Snapshot(
        cycle_id, at, Session(True, at - timedelta(minutes=30), at + timedelta(hours=6)),
        Account("a", equity, equity, equity, market.cash, market.cash, Decimal(1), True),
        instruments=tuple(
            Instrument(s, "us_equity", True, True, True, cent, cent, f"Sector {n % 11}") for n, s in enumerate(SYMBOLS)
        ),
        quotes=tuple(Quote(s, p - cent, p + cent, p, at) for s, p in market.prices.items()),
        signals=tuple(
            Signal(f"{cycle_id}-{s}", s, 1.0 if q > 0 else -1.0, 0.8, f"source{n % 3}", at)
            for n, (s, q, _) in enumerate(trades)
        ),
    )  # fmt: skip
    told, snapshot_text = rules_text(RULES), canonical(snapshot)
    names = [f"rb-{number}-{n}" for n in range(len(trades))]
    plan = {
        "cycle_id": cycle_id,
        "orders": [
            {"client_order_id": name, "qty": str(abs(q)), "price": str(p), "because": "target moved"}
            for name, (_, q, p) in zip(names, trades, strict=True)
        ],
    }
    journal.begin_cycle(CycleStart("a", cycle_id, "paper", at, "1", sha256(told)))
    journal.record_plan("a", cycle_id, at, snapshot_text, told, canonical(plan))
    intents, fills = [], []
    for n, (name, (symbol, qty, price)) in enumerate(zip(names, trades, strict=True)):
        body, sent = canonical({"symbol": symbol, "qty": str(abs(qty))}), at + timedelta(seconds=n)
        side = "buy" if qty > 0 else "sell"
        phase = "increase" if qty > 0 else "reduce"
        intents.append(Intent(name, cycle_id, phase, symbol, side, abs(qty), sha256(body), body, sent))  # type: ignore[arg-type]  # two words each
        fills.append(BrokerFill(f"{at:%Y%m%d}10000{n}000::f", f"b-{name}", symbol, qty, price, sent))
    journal.record_intents("a", intents)
    for name, fill in zip(names, fills, strict=True):
        journal.record_order("a", name, fill.at, OrderState.FILLED, abs(fill.qty), fill.price, fill.order_id)
    ended = at + timedelta(minutes=1)
    looked = {"equity": str(market.equity), "last_equity": str(equity), "cash": str(market.cash)}
    journal.record_event("a", cycle_id, ended, "account", "", looked)
    positions = {s: q for s, q in market.held.items() if q}
    journal.close_cycle(
        CycleEnd("a", cycle_id, ended, CycleOutcome.COMPLETED, "", positions, {}, None, {}, market.equity, True),
        [Verdict(one.id, one.symbol, Outcome.FILLED, stated("target moved")) for one in snapshot.signals],
    )
    return fills


def main() -> None:
    """Write, measure and print every length, and the growth from the month to the year."""
    found = {}
    for length in LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            began = perf_counter()
            in_project("write", length, folder)
            print(f"{length}: {LENGTHS[length]} days written in {perf_counter() - began:.0f} s", file=sys.stderr)
            found[length] = json.loads(in_project("measure", length, folder))
    print(f"{'':<22}" + "".join(f"{length:>10}" for length in found) + f"{'year / month':>14}")
    for name in found["year"]:
        row = [found[length][name] for length in found]
        print(f"{name:<22}" + "".join(f"{value:10.2f}" for value in row) + f"{row[-1] / max(row[0], 1e-9):14.1f}")


def in_project(what: str, length: str, folder: str) -> str:
    """Run one part in a process of its own, in a project and a state folder of its own; gives what it printed."""
    project = Path(folder) / "project"
    shutil.copytree(ROOT / "config", project / "config", dirs_exist_ok=True)
    keys = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY")
    own = {name: value for name, value in os.environ.items() if name not in keys}
    own |= {"XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "benchmarks.performance_year", what, length]
    done = subprocess.run(words, cwd=project, env=own, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def write(length: str) -> None:
    """Write the journal of the project in the current folder."""
    days = [hours.day for hours in published_hours(date(2025, 1, 2), date(2026, 2, 27))][: LENGTHS[length]]
    file = load_setup(None).journal
    file.parent.mkdir(parents=True, exist_ok=True)
    with Journal.open(file) as journal:
        write_year(journal, days)


def measure(length: str) -> None:
    """Run each command once on the journal of the current folder; seconds and MB as one line of JSON."""
    from rebalancer.cli.export import export_table
    from rebalancer.cli.performance import show_performance

    published_hours(date(2025, 1, 2), date(2025, 1, 3))  # its libraries are no part of what grows
    file, found = load_setup(None).journal, dict[str, float]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        found["performance s"] = timed(lambda: show_performance(None, days=None, as_json=True, colour=False))
    told = json.loads(screen.getvalue())
    assert told["bridge"]["unexplained"] == "0", "the generated books are not right"
    assert told["money"]["turnover"] > 0
    assert len(told["course"]["days"]) == LENGTHS[length]
    for what in EXPORTS:
        target = Path.cwd() / f"{what}.csv"
        with contextlib.redirect_stderr(io.StringIO()):  # it says how many rows it has written
            found[f"export {what} s"] = timed(partial(export_table, what, None, form="csv", since=None, to=target))
        found[f"export {what} rows"] = target.read_bytes().count(b"\r\n") - 1
    found["peak MB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found["journal MB"] = file.stat().st_size / 2**20
    print(json.dumps(found))


def timed(run: Callable[[], int]) -> float:
    """Seconds of the processor for one call that must end well."""
    began = process_time()
    assert run() == 0
    return process_time() - began


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"write": write, "measure": measure}[sys.argv[1]](sys.argv[2])
    else:
        main()
