"""Reference data that changes at most once a day: instruments, sessions, sectors, volatilities, correlation groups.

It is cached in a file beside the journal for one trading day, so that an ordinary cycle requests none of it from the
broker. It is read again when the day is over, when an unknown symbol appears, or when the file cannot be read.

The benchmark's closes come with the same request. They are kept separate, so that no signal, correlation group or plan
ever depends on them. While the market's regime is judged, four years of closes of its benchmark are read as well.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.brokers.protocol import DailyCloses, ReadBroker
from rebalancer.core.documents import BadDocument, plain, read_json, sha256
from rebalancer.core.facts import Instrument, Session, coins
from rebalancer.core.input_file import read_text
from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.core.values import decimal_of, utc_of
from rebalancer.market_data.group_history import GroupHistory
from rebalancer.market_data.sectors import SectorRow
from rebalancer.market_data.statistics import correlation_groups, true_ranges, volatilities
from rebalancer.ops.files import put_whole
from rebalancer.regimes.measures import HISTORY_SESSIONS

CLOSES_DAYS: Final = 260  # a year of daily closes: enough for the volatility and for the sample signals
REFERENCE_SCHEMA: Final = "rebalancer.sheet/1"
NO_CLOSES: Final = DailyCloses((), (), {})
_log = logging.getLogger("rebalancer.world.reference")


class ReferenceSnapshot(NamedTuple):
    """One day's reference data. `asked` are all symbols that were requested, known to the broker or not. `benchmark`
    has the closes of `reporting.benchmark` if they were received and it is not among the instruments; `judged` those by
    which the market's regime is judged."""

    session: Session
    asked: tuple[str, ...]
    instruments: tuple[Instrument, ...]
    closes: DailyCloses
    benchmark: DailyCloses = NO_CLOSES
    judged: DailyCloses = NO_CLOSES


class Reference:
    """Provides today's reference data, from the file if possible, else from the broker."""

    def __init__(self, broker: ReadBroker, folder: Path, sectors: Mapping[str, SectorRow], rules: Rules) -> None:
        self._broker, self._path = broker, folder / "day-sheet.json"
        self._sectors, self._rules = sectors, rules
        self._weekly = GroupHistory(folder)
        self._snapshot: ReferenceSnapshot | None = None

    def symbols(self) -> tuple[str, ...]:
        """The symbols of the cached reference data, without a request to the broker; empty if nothing is cached."""
        self._snapshot = self._snapshot or self._stored()  # a cycle that reads it next need not parse the file again
        return () if self._snapshot is None else tuple(i.symbol for i in self._snapshot.instruments)

    def read(self, symbols: Iterable[str], now: datetime) -> ReferenceSnapshot:
        """The reference data for these symbols at `now`. Raises BrokerUnavailable when it must be read but cannot."""
        wanted, kept = {*symbols}, set[str]()
        for found in self._found():
            if found is None or not _serves(found, now):
                continue
            if wanted <= {*found.asked}:
                self._snapshot = found
                return found
            kept |= {*found.asked}
        self._snapshot = self._read(sorted(wanted | kept))
        self._store(self._snapshot)
        return self._snapshot

    def _found(self) -> Iterator[ReferenceSnapshot | None]:
        """What is in memory, then what is in the file: another reader may have stored more since."""
        yield self._snapshot
        yield self._stored()

    def _read(self, symbols: Sequence[str]) -> ReferenceSnapshot:
        clock = self._broker.clock()
        known = {i.symbol: i for i in self._broker.instruments()}
        found = [known[s] for s in symbols if s in known]
        traded = [i.symbol for i in found]
        extra = self._benchmark(traded, known)
        together = self._broker.daily_closes([*traded, *extra], CLOSES_DAYS)
        closes, benchmark = apart(together, extra, coins(known.values()))
        volatility = volatilities(closes)
        ranges = true_ranges(closes) if self._rules.position_sizing.volatility_measure == "atr" else {}
        groups = self._groups(closes, clock.session.open.date())
        return ReferenceSnapshot(
            clock.session,
            tuple(symbols),
            tuple(self._described(i, volatility, ranges, groups) for i in found),
            closes,
            benchmark,
            self._judged(known),
        )

    def _groups(self, closes: DailyCloses, today: date) -> Mapping[str, str]:
        """The correlation groups by the configured rule."""
        risk = self._rules.risk_management
        if risk.correlation_groups == "stable":
            return self._weekly.groups(closes, today, risk.correlation_threshold)
        return correlation_groups(closes, risk.correlation_threshold)

    def _judged(self, known: Mapping[str, Instrument]) -> DailyCloses:
        """The long history of the benchmark by which the regime is judged; none while nobody does."""
        name = self._rules.regime.judged_by(self._rules.reporting.benchmark)
        return self._broker.daily_closes([name], HISTORY_SESSIONS) if name in known else NO_CLOSES

    def _benchmark(self, traded: Sequence[str], known: Mapping[str, Instrument]) -> list[str]:
        """The benchmark, if the same request can return it: the broker knows it, and some traded symbol has the same
        asset class. Crypto has a bar every day and is requested from another endpoint."""
        name = self._rules.reporting.benchmark
        if name in traded or name not in known:
            return []
        kind = known[name].asset_class
        return [name] if any(known[symbol].asset_class == kind for symbol in traded) else []

    def _described(
        self,
        instrument: Instrument,
        volatility: Mapping[str, float],
        ranges: Mapping[str, Decimal],
        groups: Mapping[str, str],
    ) -> Instrument:
        row = self._sectors.get(instrument.symbol)
        given = row.correlation_group if row is not None else None
        return instrument._replace(
            sector=row.sector if row is not None else None,
            correlation_group=given or groups.get(instrument.symbol),
            volatility=volatility.get(instrument.symbol),
            atr=ranges.get(instrument.symbol),
        )

    def _stored(self) -> ReferenceSnapshot | None:
        try:
            document = _document_of(read_text(self._path), str(self._path))
            return document.snapshot if document.sectors == self._fingerprint() else None
        except (OSError, BadDocument, AssertionError, AttributeError, KeyError, TypeError, ValueError):
            return None  # only a cache: if it is unusable, the data is read from the broker

    def _store(self, snapshot: ReferenceSnapshot) -> None:
        closes = snapshot.closes
        document = {
            "schema": REFERENCE_SCHEMA,
            "sectors": self._fingerprint(),
            "session": plain(snapshot.session),
            "asked": list(snapshot.asked),
            "instruments": [plain(i) for i in snapshot.instruments],
            "days": [day.isoformat() for day in closes.days],
            "closes": _plain_closes(closes),
            "benchmark": {
                "days": [day.isoformat() for day in snapshot.benchmark.days],
                "closes": _plain_closes(snapshot.benchmark),
            },
            "judged": {
                "days": [day.isoformat() for day in snapshot.judged.days],
                "closes": _plain_closes(snapshot.judged),
            },
        }
        try:
            put_whole(self._path, json.dumps(document).encode())
        except OSError as error:  # only a cache
            _log.warning("%s: cannot be written: %s", self._path, error.strerror)

    def _fingerprint(self) -> str:
        """What the reference data depends on besides the broker."""
        rows = sorted((s, r.sector, r.correlation_group or "") for s, r in self._sectors.items())
        threshold, benchmark = self._rules.risk_management.correlation_threshold, self._rules.reporting.benchmark
        measure = self._rules.position_sizing.volatility_measure
        judged = (
            f":{self._rules.regime.judged_by(self._rules.reporting.benchmark)}" if self._rules.regime.enabled else ""
        )
        stable = ":stable" if self._rules.risk_management.correlation_groups == "stable" else ""
        return f"{sha256(json.dumps(rows))[:16]}:{threshold}:{benchmark}:{measure}{judged}{stable}"


def apart(closes: DailyCloses, extra: Sequence[str], pairs: Set[str]) -> tuple[DailyCloses, DailyCloses]:
    """Separate the benchmark's closes: the first result is what a request without it would have returned; the second is
    empty when the benchmark has no bar. pairs: all crypto symbols."""
    if not extra:
        return closes, NO_CLOSES
    names = tuple(s for s in closes.symbols if s not in extra)
    alike = [closes.closes[s] for s in names if (s in pairs) == (extra[0] in pairs)]  # these define the days
    days = [i for i in range(len(closes.days)) if any(row[i] == row[i] for row in alike)]
    own = DailyCloses(
        names,
        tuple(closes.days[i] for i in days),
        {s: tuple(closes.closes[s][i] for i in days) for s in names},
        {s: bars for s, bars in closes.bars.items() if s not in extra},
    )
    rows = {s: closes.closes[s] for s in extra if s in closes.closes}
    known = any(c == c for row in rows.values() for c in row)
    return own, DailyCloses(tuple(rows), closes.days, rows) if known else NO_CLOSES


def _plain_closes(closes: DailyCloses) -> dict[str, list[float | None]]:
    return {s: [None if c != c else c for c in row] for s, row in closes.closes.items()}


def _serves(snapshot: ReferenceSnapshot, now: datetime) -> bool:
    """Whether the reference data is for the trading day of `now`: neither earlier nor later than its session's day."""
    return snapshot.session.open - timedelta(hours=10) <= now < snapshot.session.close


def _snapshot_of(found: Mapping[str, object]) -> ReferenceSnapshot:
    session, instruments, asked, benchmark = (
        found["session"], found["instruments"], found["asked"], found["benchmark"]
    )  # fmt: skip
    assert isinstance(session, dict)
    assert isinstance(instruments, list)
    assert isinstance(asked, list)
    assert isinstance(benchmark, dict)
    return ReferenceSnapshot(
        Session(bool(session["is_open"]), utc_of(session["open"]), utc_of(session["close"])),
        tuple(asked),
        tuple(_instrument_of(row) for row in instruments),
        _closes_of(found),
        _closes_of(benchmark),
        _closes_of(found.get("judged") or {"days": [], "closes": {}}),  # a file of an older version has none
    )


def _instrument_of(row: Mapping[str, Any]) -> Instrument:
    atr = row["atr"]
    numbers = {"lot": decimal_of(row["lot"]), "tick": decimal_of(row["tick"])}
    return Instrument(**{**row, **numbers, "atr": None if atr is None else decimal_of(atr)})


def _closes_of(found: Any) -> DailyCloses:
    closes, days = found["closes"], found["days"]
    assert isinstance(closes, dict)
    assert isinstance(days, list)
    return DailyCloses(
        tuple(closes),
        tuple(date.fromisoformat(day) for day in days),
        {s: tuple(float("nan") if c is None else float(c) for c in row) for s, row in closes.items()},
    )


class _Document(NamedTuple):
    """The cached file, and what its snapshot depends on besides the broker."""

    sectors: str
    snapshot: ReferenceSnapshot


@lru_cache(maxsize=1)
def _document_of(text: str, source: str) -> _Document:
    """Read the cached file; every cycle of a day finds the same text, which is read once."""
    found = read_json(text, source)
    assert found["schema"] == REFERENCE_SCHEMA
    return _Document(found["sectors"], _snapshot_of(found))


def open_session(session: Session, now: datetime) -> Session:
    """The session with its state at `now`."""
    return session._replace(is_open=session.open <= now < session.close)


def day_start(session: Session, now: datetime) -> datetime:
    """The start of the day for which orders are counted: midnight in New York of the session's day, or of the current
    day while the next session is on a later day."""
    return midnight_in_new_york(min(session.open, now))
