"""`demo`: a whole trading day on the embedded exchange in about a minute, including typical problems.

Uses no account and no network, and touches none of the user's files: the day has a folder of its own, created anew
every time. The same code runs as on a real day; only the time between cycles is skipped.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width
from rebalancer.core.documents import BadDocument
from rebalancer.core.new_york import from_new_york, in_new_york
from rebalancer.ops.files import put_whole
from rebalancer.report.paths import shown_path

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange
    from rebalancer.journal import Journal
    from rebalancer.journal.records import CycleRecord
    from rebalancer.session.setup import Setup

DAY: Final = date(2026, 11, 20)
MARK: Final = "demo.folder"  # only a folder with this file in it is removed
SPEED: Final = 100_000.0
_CYCLES_AT_ONCE: Final = 4  # read to find those that were not printed

RULES: Final = """\
signals: {path: signals, sample: never, max_age_minutes: 600}
sectors_file: SECTORS
reporting: {directory: REPORTS}
execution: {phase_timeout_seconds: 2, cancel_timeout_seconds: 2}
risk_management: {max_drawdown: 0.0032}
protection: {mode: monitor, stop_loss: 0.012, take_profit: 0.05, poll_seconds: 300}
simulation: {seed: 7}
"""

MORNING: Final = {
    "MSFT": 0.7, "NVDA": 0.6, "XOM": 0.5, "CVX": 0.6, "KO": 0.7, "WMT": 0.5, "JNJ": 0.6, "UNH": 0.5, "CAT": 0.6,
    "V": 0.6, "AAPL": 0.0, "JPM": 0.0,
}  # fmt: skip
NOON: Final = {**MORNING, "NVDA": 0.0, "CVX": 0.2, "KO": 0.9, "DUK": 0.7, "HON": 0.6}
AFTERNOON: Final = {**NOON, "UNH": 0.0, "COST": 0.8, "GOOGL": 0.8, "HD": 0.7}
LATE: Final = {**AFTERNOON, "KO": 0.0, "MRK": 0.9}


class Happening(NamedTuple):
    """An external event during the day, at a New York time."""

    at: time
    text: str
    act: Callable[[Exchange, Path], object]


def run_demo(*, show: bool) -> int:
    """Run the simulated day, print what happens, and end with the path of its report."""
    from rebalancer.brokers.endpoints import Credentials, Endpoints
    from rebalancer.brokers.factory import Connection
    from rebalancer.cli.embedded import exchange_for_session
    from rebalancer.cli.played_exchange import ExchangeWithin
    from rebalancer.ops.notify import Notify
    from rebalancer.session.start import run_session
    from rebalancer.session.stop import Stop

    setup = _setup()
    _say(f"A trading day, {DAY:%A %Y-%m-%d}, on the embedded exchange: generated prices, no account, no network.")
    _say("It takes about a minute; Ctrl-C ends it early.\n")
    stop = Stop()
    lead = setup.rules.session.start_lead_minutes + 1
    with stop.on_signals():  # to the end: a browser opened after it would ignore them too
        with exchange_for_session(setup.rules.simulation, setup.state / "exchange.sqlite", True, DAY, lead) as running:
            day = _Day(running.exchange, running.clock, setup)
            connection = Connection(Credentials("embedded", "embedded"), Endpoints(running.url))
            with closing(day):
                notify, market = Notify.from_environment({}), ExchangeWithin(running.exchange)
                run_session(setup, connection, stop, notify, exchange=day, market=market, speed=SPEED)
        return _end(setup, show, is_stopped=stop.reason() is not None)


class _Day:
    """The exchange's clock as the session advances it; the day's events are triggered along the way."""

    def __init__(self, exchange: Exchange, clock: Any, setup: Setup) -> None:
        self._exchange, self._clock, self._setup = exchange, clock, setup
        self._left = sorted(HAPPENINGS, key=lambda h: h.at)
        self._printed, self._halted = set[str](), ""
        self._journal: Journal | None = None
        self._newest: CycleRecord | None = None

    def advance(self, seconds: float) -> None:
        """Advance, stopping at every event along the way."""
        end = self._now() + timedelta(seconds=seconds)
        while self._left and (at := _moment(self._left[0].at)) <= end:
            self._clock.advance(max((at - self._now()).total_seconds(), 0.0))
            happening = self._left.pop(0)
            self._tell_cycles()
            _say(f"{happening.at:%H:%M}  * {happening.text}", 9)
            happening.act(self._exchange, self._setup.root)
        self._clock.advance(max((end - self._now()).total_seconds(), 0.0))
        self._tell_cycles()

    def close(self) -> None:
        """Close what was opened to read the cycles."""
        if self._journal is not None:
            self._journal.close()

    def _now(self) -> datetime:
        from rebalancer.exchange.calendar import moment_of

        return moment_of(self._clock.micros())

    def _tell_cycles(self) -> None:
        """Print one line per cycle that did something since the last call."""
        from rebalancer.journal import Journal

        if self._journal is None:
            if not self._setup.has_journal:
                return
            self._journal = Journal.open(self._setup.journal)
        newest = next(iter(self._journal.cycles(None, 1)), None)
        if newest == self._newest:
            return
        self._newest = newest
        for cycle in self._not_printed():
            halted = cycle.outcome if cycle.outcome is not None and cycle.outcome.startswith("HALTED") else ""
            if cycle.orders or halted != self._halted:  # the same halt is printed once
                local = in_new_york(cycle.started_at)
                _say(f"{local:%H:%M}    {cycle.outcome}: {cycle.because}", 9)
            self._halted = halted

    def _not_printed(self) -> list[CycleRecord]:
        """The cycles that have ended since those that were printed, oldest first."""
        assert self._journal is not None
        limit = _CYCLES_AT_ONCE
        while True:
            found = self._journal.cycles(None, limit)
            new = [c for c in found if c.ended_at is not None and c.cycle_id not in self._printed]
            if len(found) < limit or found[-1].cycle_id in self._printed:
                self._printed |= {cycle.cycle_id for cycle in new}
                return new[::-1]
            limit *= 2


def _say(text: str, indent: int = 0) -> None:
    """One message, wrapped at the width of the terminal."""
    from rebalancer.report.columns import wrap

    start = text[: len(text) - len(text.lstrip("\n"))]
    end = text[len(text.rstrip("\n")) :]
    lines = wrap(text.strip("\n"), terminal_width(), " " * indent, "")
    sys.stdout.write(start + "\n".join(lines) + end + "\n")
    sys.stdout.flush()


def _moment(at: time) -> datetime:
    return from_new_york(DAY, at)


def _setup() -> Setup:
    """A configured rebalancer in a new folder of its own."""
    from rebalancer.ops.paths import state_directory
    from rebalancer.session.setup import Setup, load_setup
    from rebalancer.settings.load import load_rules

    yours = load_setup(None, {})
    folder = state_directory("demo")
    if any(folder.iterdir()) and not (folder / MARK).exists():
        raise BadDocument(str(folder), "is not a folder of the demo", "move it away")
    shutil.rmtree(folder)
    (folder / "signals").mkdir(parents=True, mode=0o700)
    (folder / "state").mkdir(mode=0o700)
    put_whole(folder / MARK, b"made anew by every demo\n")
    rules = RULES.replace("SECTORS", str(yours.root / yours.rules.sectors_file))
    put_whole(folder / "demo.yaml", rules.replace("REPORTS", str(yours.reports / "demo")).encode())
    _opinions(folder, MORNING, time(9, 20))
    loaded = load_rules([folder / "demo.yaml"], {})
    return Setup(folder, loaded, "simulated", folder / "state", os.environ)


def _opinions(folder: Path, scores: dict[str, float], at: time) -> None:
    """Write a set of signals to the folder atomically."""
    issued = f"{_moment(at):%Y-%m-%dT%H:%M:%SZ}"
    rows = "".join(f"{symbol},{score},0.8,{issued},desk\n" for symbol, score in scores.items())
    put_whole(folder / "signals" / "desk.csv", f"symbol,score,confidence,issued_at,source\n{rows}".encode())


def _hand_trade(exchange: Exchange, _: Path) -> None:
    exchange.submit(
        {"symbol": "MCD", "qty": "12", "side": "buy", "type": "market", "time_in_force": "day",
         "client_order_id": "placed-by-hand"}
    )  # fmt: skip


def _partial(exchange: Exchange, folder: Path) -> None:
    from rebalancer.exchange.admin.actions import change_faults

    change_faults(exchange, {"rules": [{"name": "thin", "kind": "partial_fill", "symbols": ["DUK"], "times": 1}]})
    _opinions(folder, NOON, time(11, 29))


def _halt(exchange: Exchange, _: Path) -> None:
    from rebalancer.exchange.admin.actions import halt

    halt(exchange, {"symbol": "COST", "halted": True})


def _resume(exchange: Exchange, _: Path) -> None:
    from rebalancer.exchange.admin.actions import halt

    halt(exchange, {"symbol": "COST", "halted": False})


HAPPENINGS: Final = (
    Happening(time(10, 41), "somebody buys 12 MCD by hand, past the rebalancer", _hand_trade),
    Happening(time(11, 30), "new opinions arrive; DUK trades thinly, its first fill will be partial", _partial),
    Happening(time(12, 58), "COST is halted at its exchange", _halt),
    Happening(
        time(13, 0),
        "new opinions arrive, among them one about COST",
        lambda _, f: _opinions(f, AFTERNOON, time(12, 59)),
    ),
    Happening(time(13, 40), "COST trades again", _resume),
    Happening(
        time(14, 45), "new opinions: MRK would be bought, KO sold", lambda _, f: _opinions(f, LATE, time(14, 44))
    ),
)


def _end(setup: Setup, show: bool, *, is_stopped: bool) -> int:
    from rebalancer.journal import Journal
    from rebalancer.report.files import write_edition
    from rebalancer.report.period.gather import period_report_of
    from rebalancer.report.period.words import attention_of, sentence_of

    with Journal.open(setup.journal) as journal:
        if not (cycles := journal.cycles(None, 1)):
            _say("\nthe demo was stopped before its first cycle; there is no report")
            return ExitCode.DONE
        if is_stopped:
            _say("\nthe demo was stopped; its report is of the day until then")
        newest = cycles[0]
        made_at = newest.ended_at or newest.started_at
        edition = period_report_of(journal, newest.account_id, "simulated", setup.rules, "day", DAY, made_at)
    written = write_edition(edition, setup.reports)
    _say(f"\n{sentence_of(edition, attention_of(edition))}")
    sys.stdout.write(f"report: {shown_path(written.html_path)}\n")
    if show:
        import webbrowser

        webbrowser.open(written.html_path.as_uri())
    return ExitCode.DONE
