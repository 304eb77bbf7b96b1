"""Rounds of a source: whom it asks, what it may spend, what it keeps, and when it is off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.facts import Signal
from rebalancer.core.signal_rules import Signals
from rebalancer.signals.sources.alpha_vantage import AlphaVantage
from rebalancer.signals.sources.contract import (
    KeyRefused,
    QuotaUsed,
    SourceBudget,
    SourceContext,
    SourceGone,
    SourceUnavailable,
    VendorRefused,
    Vote,
    Votes,
    VoteSource,
)
from rebalancer.signals.sources.day_budget import DayBudget, next_midnight, whom_to_ask
from rebalancer.signals.sources.refresh import RoundResult, SourceRefresher, SymbolsWanted, clean
from rebalancer.signals.sources.store import VoteStore
from rebalancer.signals.sources.votes import SourceVotes
from tests.signals.vendors import KEYS, NOW, Said, StandingClock, VendorServer, rules_for
from tests.support.closed_at_end import closed_at_end

SYMBOLS = [f"S{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(100)]


class Scripted:
    """A source of somebody's own that does as it is told."""

    batch_size = 2

    def __init__(self, fetch: Callable[[Sequence[str], SourceBudget], Votes]) -> None:
        self._fetch, self.asked = fetch, list[tuple[str, ...]]()

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        self.asked.append(tuple(symbols))
        return self._fetch(symbols, budget)


def all_vote(symbols: Sequence[str], budget: SourceBudget) -> Votes:
    budget.spend()
    return Votes(tuple(Vote(symbol, 0.5, 0.5) for symbol in symbols))


class Kit:
    """One source on a clock that stands still."""

    def __init__(self, folder: Path, source: VoteSource | None = None, name: str = "mine", **changes: Any) -> None:
        self.clock, self.keys = StandingClock(), dict(KEYS)
        self.store = closed_at_end(VoteStore.open(folder / "sources.sqlite"))
        self.rules = rules_for(name, **changes)
        factory = None if source is None else (lambda _: source)
        self.one = SourceRefresher(name, self.rules, self.store, self.clock, lambda: self.keys, factory=factory)

    def round(self, *symbols: str, held: Sequence[str] = ()) -> RoundResult:
        return self.one.round(SymbolsWanted(frozenset(symbols), frozenset(held)))


# whom to ask


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(SYMBOLS[:20]), st.one_of(st.none(), st.integers(0, 5000)), min_size=1),
    st.frozensets(st.sampled_from(SYMBOLS[:20])),
    st.integers(5, 2000),
)
def test_who_is_asked_is_due_and_the_most_urgent_comes_first(
    ages: dict[str, int | None], held: frozenset[str], ttl: int
) -> None:
    asked = {s: NOW - timedelta(seconds=age) for s, age in ages.items() if age is not None}
    found = whom_to_ask(ages, held, asked, NOW, timedelta(seconds=ttl))
    assert set(found) == {s for s, age in ages.items() if age is None or age >= ttl}
    never = [s for s in found if s not in asked]
    assert found[: len(never)] == sorted(never, key=lambda s: (s not in held, s))
    urgency = [(ages[s] or 0) * (2 if s in held else 1) for s in found if s in asked]
    assert urgency == sorted(urgency, reverse=True)
    assert found == whom_to_ask(list(reversed(list(ages))), held, asked, NOW, timedelta(seconds=ttl))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 7), st.frozensets(st.sampled_from(SYMBOLS[:30])))
def test_nobody_is_forgotten_however_small_the_budget(count: int, calls: int, held: frozenset[str]) -> None:
    """With so many calls a day each name is asked within a bounded number of days, held or not."""
    names, asked, now = SYMBOLS[:count], dict[str, datetime](), NOW
    longest, last = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for day in range(1, 4 * count // calls + 8):
        now += timedelta(days=1)
        for name in whom_to_ask(names, held, asked, now, timedelta(hours=1))[:calls]:
            asked[name] = now
            longest[name], last[name] = max(longest[name], day - last[name]), day
    assert set(asked) == set(names)
    assert max(longest.values()) <= 2 * (-(-count // calls)) + 2


def test_a_day_begins_at_midnight_in_new_york() -> None:
    for now, expected in {
        "2026-11-20T15:35": "2026-11-21T05:00", "2026-10-31T15:35": "2026-11-01T04:00",
        "2026-11-01T05:30": "2026-11-02T05:00", "2027-03-14T12:00": "2027-03-15T04:00",
    }.items():  # fmt: skip
        found = next_midnight(datetime.fromisoformat(now).replace(tzinfo=UTC))
        assert found.astimezone(UTC).isoformat()[:16] == expected


def test_a_simulated_day_of_alpha_vantage_keeps_its_budget(tmp_path: Path) -> None:
    """100 names, 25 calls a day and one a second: over four days every name is asked once, and what is held first."""
    article = {"relevance_score": "0.9", "ticker_sentiment_score": "0.2"}
    server = VendorServer(
        lambda one: Said(
            {
                "feed": [
                    {
                        "url": "u",
                        "time_published": one.params["time_from"] + "00",
                        "ticker_sentiment": [{"ticker": one.params["tickers"], **article}],
                    }
                ]
            }
        )
    )
    with server.running():
        kit = Kit(tmp_path, name="alpha_vantage", base_url=server.url)
        kit.one._factory = AlphaVantage
        by_day: dict[str, list[str]] = {}
        gaps = []
        while kit.clock.now < NOW + timedelta(days=4):
            before, started = len(server.asked), kit.clock.ran
            found = kit.round(*SYMBOLS, held=SYMBOLS[90:])
            names = [one.params["tickers"] for one in server.asked[before:]]
            by_day.setdefault(f"{kit.clock.now.astimezone(tz=UTC) - timedelta(hours=5):%d}", []).extend(names)
            if len(names) > 1:
                gaps.append((kit.clock.ran - started) / (len(names) - 1))
            assert found.off is None
            kit.clock.pass_by(found.pause * 10)
        assert [len(names) for names in by_day.values()][:4] == [25, 25, 25, 25]
        assert by_day["20"][:10] == SYMBOLS[90:]
        assert {name for names in list(by_day.values())[:4] for name in names} >= set(SYMBOLS[90:])
        assert len({one.params["tickers"] for one in server.asked}) >= 75
        assert min(gaps) >= 1.0
        kit.store.close()


def test_calls_and_money_survive_a_restart_and_two_processes(tmp_path: Path) -> None:
    rules, clock = rules_for("mine", calls_per_day=10, usd_per_day="0.50", usd_per_call="0.10"), StandingClock()
    spent: list[str] = []

    def use() -> None:
        with VoteStore.open(tmp_path / "s.sqlite") as store:
            budget = DayBudget("mine", rules, store, clock.wall, clock.monotonic, clock.wait)
            for _ in range(4):
                try:
                    budget.spend()
                    spent.append("ok")
                except Exception as error:  # any other than BudgetSpent shows in the comparison
                    spent.append(str(error))

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(spent) == sorted(["ok"] * 5 + ["0.50 of 0.50 USD a day are spent, and a call costs about 0.10"] * 7)
    with VoteStore.open(tmp_path / "s.sqlite") as store:
        assert store.spent("mine", "2026-11-20") == (5, Decimal("0.50"))
        clock.pass_by(86_400)
        DayBudget("mine", rules, store, clock.wall, clock.monotonic, clock.wait).spend()
        assert store.spent("mine", "2026-11-21") == (1, Decimal("0.10"))


# what is kept


def test_only_what_was_asked_is_kept_and_clipped(tmp_path: Path) -> None:
    def fetch(symbols: Sequence[str], budget: SourceBudget) -> Votes:
        budget.spend()
        return Votes(
            (Vote("A", 9.0, 9.0, "x\ny " + KEYS["XAI_API_KEY"]), Vote("EVIL", 1.0, 1.0), Vote("B", float("nan"), 1.0)),
            {"B": "no\x1b[31m", "EVIL": "x"},
        )

    from rebalancer.ops.logs.redact import learn

    learn([KEYS["XAI_API_KEY"]])
    kit = Kit(tmp_path, Scripted(fetch))
    assert kit.round("A", "B")[:2] == (2, 1)
    (vote,) = kit.store.votes(["mine"])
    assert (vote.symbol, vote.score, vote.confidence, vote.because) == ("A", 1.0, 1.0, "x y [secret]")
    assert set(kit.store.asked("mine")) == {"A", "B"}


@given(
    st.one_of(st.floats(), st.text(), st.none(), st.integers()), st.one_of(st.floats(), st.none()), st.text(max_size=9)
)
def test_whatever_a_source_says_a_vote_is_in_range(score: Any, confidence: Any, symbol: str) -> None:
    found = clean(Vote(symbol, score, confidence), ("A", "B"))
    assert found is None or (found.symbol in "AB" and -1 <= found.score <= 1 and 0 <= found.confidence <= 1)


def test_silence_leaves_an_earlier_vote_to_age(tmp_path: Path) -> None:
    says = [Votes((Vote("A", 0.5, 0.5),)), Votes((), {"A": "nothing new"}), Votes((Vote("A", -0.5, 0.5),))]
    kit = Kit(tmp_path, Scripted(lambda *_: says.pop(0)), ttl_seconds=60, max_age_minutes=5)
    signals = Signals.model_validate({"sources": {"mine": kit.rules.model_dump()}})
    reader = SourceVotes(tmp_path / "sources.sqlite", signals, kit.clock.wall)
    seen: list[tuple[Signal, ...]] = []
    for _ in range(3):
        kit.round("A")
        seen.append(reader.read(kit.clock.now))
        kit.clock.pass_by(60)
    assert [[s.score for s in one] for one in seen] == [[0.5], [0.5], [-0.5]]
    assert seen[0] == seen[1]
    assert [s.source for one in seen for s in one] == ["mine"] * 3
    kit.clock.pass_by(300)
    assert reader.read(kit.clock.now) == ()


def test_age_counts_and_the_brokers_clock_may_differ(tmp_path: Path) -> None:
    old = Votes((Vote("A", 0.5, 0.5),), age=timedelta(minutes=15))
    kit = Kit(tmp_path, Scripted(lambda *_: old))
    kit.round("A")
    signals = Signals.model_validate({"sources": {"mine": kit.rules.model_dump()}})
    market = datetime(2030, 1, 2, tzinfo=UTC)
    (found,) = SourceVotes(tmp_path / "sources.sqlite", signals, kit.clock.wall).read(market)
    assert found.issued_at == market - timedelta(minutes=15)
    disabled = Signals.model_validate({"sources": {"mine": {}}})
    assert SourceVotes(tmp_path / "sources.sqlite", disabled, kit.clock.wall).read(market) == ()
    assert SourceVotes(tmp_path / "absent.sqlite", signals, kit.clock.wall).read(market) == ()


def test_a_batch_that_fails_loses_nothing_of_those_before(tmp_path: Path) -> None:
    def fetch(symbols: Sequence[str], budget: SourceBudget) -> Votes:
        if "C" in symbols:
            raise ZeroDivisionError("oops")
        return Votes(tuple(Vote(symbol, 0.5, 0.5) for symbol in symbols))

    kit = Kit(tmp_path, Scripted(fetch))
    found = kit.round("A", "B", "C", "D")
    assert found.off is not None
    assert (found.asked, found.answered, found.off.kind, found.off.because) == (
        2, 2, "failed", "mine: ZeroDivisionError: oops",
    )  # fmt: skip
    assert kit.store.spent("mine", "2026-11-20")[0] == 1  # a source that does not count is counted


# off


def raising(error: Exception, then: Votes | None = None) -> Scripted:
    def fetch(symbols: Sequence[str], budget: SourceBudget) -> Votes:
        budget.spend()
        if then is not None and len(source.asked) > 1:
            return then
        raise error

    source = Scripted(fetch)
    return source


def test_a_refused_key_is_tried_again_only_when_it_changes(tmp_path: Path) -> None:
    source = raising(KeyRefused("no", "set it"))
    kit = Kit(tmp_path, source, name="xai")
    for _ in range(50):
        kit.round("A")
        kit.clock.pass_by(86_400)
    assert len(source.asked) == 1
    off = kit.store.off("xai")
    assert off is not None
    assert (off.kind, off.until, off.because, off.hint) == ("key", None, "no", "set it")
    assert KEYS["XAI_API_KEY"] not in str(off)
    kit.keys["XAI_API_KEY"] = "another-key"
    kit.round("A")
    assert len(source.asked) == 2


def test_gone_is_for_good_until_the_configuration_changes(tmp_path: Path) -> None:
    source = raising(SourceGone("gone"))
    kit = Kit(tmp_path, source)
    for _ in range(5):
        assert kit.round("A").off is not None
        kit.clock.pass_by(86_400 * 30)
    assert len(source.asked) == 1
    other = SourceRefresher("mine", rules_for("mine", base_url="https://new.example"), kit.store, kit.clock,
                            lambda: kit.keys, factory=lambda _: source)  # fmt: skip
    other.round(SymbolsWanted(frozenset("A"), frozenset()))
    assert len(source.asked) == 2


@pytest.mark.parametrize(
    ("error", "hours"),
    [
        (QuotaUsed("spent"), (datetime(2026, 11, 21, 5, tzinfo=UTC) - NOW) / timedelta(hours=1)),
        (QuotaUsed("spent", seconds=7200), 2.0),
        (VendorRefused("unknown field"), 1.0),
        (SourceUnavailable("busy"), 30 / 3600),
        (SourceUnavailable("busy", seconds=900), 0.25),
        (RuntimeError("anything"), 30 / 3600),
    ],
)
def test_how_long_a_source_stays_off(error: Exception, hours: float, tmp_path: Path) -> None:
    source = raising(error, then=Votes((Vote("A", 0.5, 0.5),)))
    kit = Kit(tmp_path, source)
    kit.round("A")
    kit.clock.pass_by(hours * 3600 - 1)
    assert (kit.round("A").off is None, len(source.asked)) == (False, 1)
    kit.clock.pass_by(2)
    assert (kit.round("A").off, len(source.asked)) == (None, 2)
    assert kit.store.off("mine") is None


def test_failures_in_a_row_are_asked_ever_less_often(tmp_path: Path) -> None:
    source = raising(SourceUnavailable("down"))
    kit, pauses = Kit(tmp_path, source), list[float]()
    for _ in range(10):
        found = kit.round("A")
        assert found.off is not None
        assert found.off.until is not None
        pauses.append((found.off.until - kit.clock.now).total_seconds())
        kit.clock.now = found.off.until
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_cadence_of_five_seconds(tmp_path: Path) -> None:
    source = Scripted(all_vote)
    kit = Kit(tmp_path, source, ttl_seconds=5)
    for _ in range(12):
        found = kit.round("A")
        assert found.pause == 5.0
        kit.clock.pass_by(found.pause)
    assert len(source.asked) == 12


def test_an_unknown_source_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    kit = Kit(tmp_path, name="nobody")
    found = kit.round("A").off
    assert found is not None
    assert "signals.sources.nobody: is no source of this program" in found.because


def factory_of_own(context: SourceContext) -> VoteSource:
    """What an entry point of these tests names."""
    assert context.rules.options == {"colour": "red"}
    return Scripted(all_vote)


def test_an_entry_point_brings_a_source_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is really on the path, with its metadata as an installer writes it."""
    info = tmp_path / "own_source-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-source\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[rebalancer.sources]\nmine = tests.signals.test_source_refresh:factory_of_own\n"
        "broken = tests.signals.no_such_module:x\nxai = tests.signals.test_source_refresh:factory_of_own\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    kit = Kit(tmp_path, options={"colour": "red"})
    assert kit.round("A", "B", "C")[:3] == (3, 3, None)
    broken = Kit(tmp_path, name="broken").round("A").off
    assert broken is not None
    assert "cannot be loaded: ModuleNotFoundError" in broken.because
    from rebalancer.signals.sources.catalog import factory_of
    from rebalancer.signals.sources.xai import Xai

    assert factory_of("xai") is Xai  # a name of the program is never taken from a package
