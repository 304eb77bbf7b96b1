"""What a source does wrong beside its votes: calls that it does not count, a store that is lost or damaged, keys that
cannot be read, an end that it does not notice, and money for answers of no use."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.core.signal_rules import Signals
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.source_status import source_status
from rebalancer.signals.sources import price_votes, process, refresh
from rebalancer.signals.sources.contract import SourceBudget, SourceUnavailable, Vote, Votes
from rebalancer.signals.sources.process import run_sources
from rebalancer.signals.sources.refresh import SymbolsWanted
from rebalancer.signals.sources.store import VoteStore
from rebalancer.signals.sources.votes import SourceVotes
from tests.signals.test_source_refresh import Kit, Scripted, all_vote
from tests.signals.test_source_vendors import (
    ARTICLES,
    MODEL_VOTE,
    SPEAKS,
    VENDORS,
    aggregates,
    asked,
    by_path,
    feed,
    massive_news,
)
from tests.signals.test_source_vendors import (
    closes as daily_bars,
)
from tests.signals.vendors import NOW, Asked, Said, VendorServer, bench, spent

WANTED = SymbolsWanted(frozenset("A"), frozenset())


@pytest.mark.parametrize(
    ("cost", "limits", "asked", "counted", "because"),
    [
        ("0", {"calls_per_day": 2}, 2, (2, "0"), "all 2 calls of the day are used"),
        ("0.40", {"usd_per_day": "1"}, 3, (3, "1.20"), "1.20 of 1.00 USD a day are spent"),
        ("0", {"usd_per_day": "1", "usd_per_call": "0.50"}, 2, (2, "1.00"), "1.00 of 1.00 USD a day are spent"),
        ("-5", {"usd_per_day": "1", "usd_per_call": "0.50"}, 2, (2, "1.00"), "1.00 of 1.00 USD a day are spent"),
    ],
)
def test_a_source_that_counts_nothing_keeps_its_limits_all_the_same(
    cost: str, limits: dict[str, Any], asked: int, counted: tuple[int, str], because: str, tmp_path: Path
) -> None:
    """What it has answered is kept, and it is not asked again."""
    source = Scripted(lambda symbols, _: Votes(tuple(Vote(s, 0.5, 0.5) for s in symbols), cost=Decimal(cost)))
    kit = Kit(tmp_path, source, ttl_seconds=5, **limits)
    for _ in range(6):
        found = kit.round("A")
        kit.clock.pass_by(60)
    calls, usd = kit.store.spent("mine", "2026-11-20")
    assert (len(source.asked), calls, usd, found.spent) == (asked, counted[0], Decimal(counted[1]), because)
    assert len(kit.store.votes(["mine"])) == 1


def test_a_vote_spelt_in_another_way_is_no_silence(tmp_path: Path) -> None:
    kit = Kit(tmp_path, Scripted(lambda *_: Votes((Vote("a", 0.1, 0.5), Vote("A", 0.5, 0.5)))))
    assert kit.round("A", "B").answered == 1
    assert {s: why for s, (_, why) in kit.store.asked("mine").items()} == {"A": "", "B": "no answer for it"}


@pytest.mark.parametrize(
    ("column", "value"),
    [("score", 7.0), ("score", "much"), ("confidence", 1.5), ("issued_at", "soon"), ("symbol", "MSFT"),
     ("issued_at", "2026-11-20T15:59:00.000000Z"), ("signal_id", "mine-0")],
)  # fmt: skip
def test_nothing_is_traded_on_a_vote_that_was_altered(column: str, value: object, tmp_path: Path) -> None:
    kit, path = Kit(tmp_path, Scripted(all_vote)), tmp_path / "sources.sqlite"
    kit.round("A")
    reader = SourceVotes(path, Signals.model_validate({"sources": {"mine": kit.rules.model_dump()}}), kit.clock.wall)
    assert len(reader.read(kit.clock.now)) == 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE votes SET {column} = ?", (value,))
    with pytest.raises(BadDocument, match="was altered since it was stored\n  hint: move the file away"):
        reader.read(kit.clock.now)


def test_a_store_that_was_deleted_is_written_anew(tmp_path: Path) -> None:
    """What goes to a file without a name is read by no cycle."""
    path = tmp_path / "sources.sqlite"
    with VoteStore.open(path) as store:
        for symbol in "AB":
            store.follow()
            store.put("mine", (Vote(symbol, 0.5, 0.5),), {}, NOW, NOW)
            with VoteStore.open(path) as other:
                assert [vote.symbol for vote in other.votes(["mine"])] == [symbol]
            for name in ("", "-wal", "-shm"):
                path.with_name(path.name + name).unlink(missing_ok=True)


class Own:
    """A source of somebody's own; `fetch` is told to every one of them."""

    def __init__(self, fetch: Callable[[], Votes]) -> None:
        self._fetch = fetch

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        return self._fetch()


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Votes]], None]:
    def use(fetch: Callable[[], Votes]) -> None:
        for module in (process, refresh):
            monkeypatch.setattr(module, "factory_of", lambda _: lambda _: Own(fetch))

    return use


def enabled(count: int) -> Signals:
    return Signals.model_validate({"sources": {f"s{n}": {"enabled": True} for n in range(count)}})


def test_many_sources_that_hang_end_as_soon_as_one(
    owned: Callable[[Callable[[], Votes]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The service manager ends the process by force after ten seconds, and so does a session. Those that are left
    behind say nothing of a store that was closed meanwhile."""
    begun, release = threading.Semaphore(0), threading.Event()

    def hangs() -> Votes:
        begun.release()
        release.wait(600)
        return Votes(())

    owned(hangs)
    joins: list[float] = []
    left: list[threading.Thread] = []
    join_now = threading.Thread.join

    def join(thread: threading.Thread, seconds: float) -> None:
        joins.append(seconds)
        left.append(thread)

    def until_all_hang() -> None:
        for _ in range(8):
            begun.acquire()

    monkeypatch.setattr(threading.Thread, "join", join)  # nothing ends within its time
    monkeypatch.setattr(SystemClock, "monotonic", lambda _: sum(joins))
    run_sources(enabled(8), tmp_path, dict, lambda: WANTED, until_all_hang)
    release.set()
    for thread in left:
        join_now(thread, 60)
    assert (len(joins), sum(joins)) == (8, process.END_SECONDS)
    assert (caplog.messages, [thread.is_alive() for thread in left]) == ([], [False] * 8)


@pytest.mark.parametrize("error", [BadDocument("keys.env", "others may read it", "chmod 600"), RuntimeError("odd")])
def test_keys_that_cannot_be_read_now_are_read_later(
    error: Exception, owned: Callable[[Callable[[], Votes]], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WAIT_SECONDS", 0.01)
    owned(lambda: Votes((Vote("A", 0.5, 0.5),)))
    given = iter([error])
    done = threading.Event()

    def keys() -> Mapping[str, str]:
        for one in given:
            raise one
        return {}

    def wanted() -> SymbolsWanted:
        if source_status(tmp_path):
            done.set()
        return WANTED

    def until_told() -> None:
        done.wait(120)

    monkeypatch.setattr(refresh, "CADENCE_LEAST", 0.01)
    monkeypatch.setattr(refresh, "CADENCE_MOST", 0.01)
    run_sources(enabled(1), tmp_path, keys, wanted, until_told)
    assert [row.covered for row in source_status(tmp_path)] == [1]


MODELS = ["xai", "perplexity", "perplexity_sonar"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("status", "calls"), [(500, 1), (502, 1), (504, 1), (429, 3), (503, 3), (529, 3)])
def test_a_question_that_may_have_been_paid_for_is_not_repeated(
    name: str, status: int, calls: int, tmp_path: Path
) -> None:
    vendor, own, tried = VENDORS[name], name.removesuffix("_sonar"), list[Asked]()

    def answers(one: Asked) -> Said:
        tried.append(one)
        return Said({}, status)

    server = VendorServer(answers)
    with server.running(), bench(vendor.make, own, server.url, tmp_path, **vendor.changes) as one:
        with pytest.raises(SourceUnavailable):
            one.source.fetch(("AAPL",), NOW, one.budget)
        assert (len(tried), spent(one, own)[0]) == (calls, calls)


@pytest.mark.parametrize("name", ["perplexity", "perplexity_sonar"])
@pytest.mark.parametrize("votes", ["no JSON", [MODEL_VOTE]])
def test_an_answer_of_no_use_was_paid_for_all_the_same(name: str, votes: object, tmp_path: Path) -> None:
    body = SPEAKS[name](votes)
    body["usage"]["cost"]["total_cost"] = 0.75
    if votes != "no JSON":
        body |= {"status": "incomplete", "choices": []}
    server, vendor = VendorServer(by_path(any=body)), VENDORS[name]
    with server.running(), bench(vendor.make, "perplexity", server.url, tmp_path, **vendor.changes) as one:
        with pytest.raises(SourceUnavailable):
            one.source.fetch(("AAPL",), NOW, one.budget)
        assert spent(one, "perplexity") == (1, Decimal("0.75"))


def test_prices_that_end_long_ago_are_no_vote(tmp_path: Path) -> None:
    """The name was delisted, or the feed stands still: asked now, the vote would count as fresh."""
    week = date(2026, 11, 20) - price_votes.QUIET
    closes = {week - timedelta(days=n): 100.0 + n % 7 for n in range(300)}
    assert isinstance(price_votes.price_vote("A", closes, date(2026, 11, 20)), Vote)
    assert price_votes.price_vote("A", closes, date(2026, 11, 21)) == "its newest close is of 2026-11-13"
    later = {**closes, date(2026, 11, 21): 1.0}  # the day itself and those to come never count
    assert price_votes.price_vote("A", later, date(2026, 11, 21)) == "its newest close is of 2026-11-13"
    old = timedelta(days=60)
    bars = [{**row, "t": f"{datetime.fromisoformat(str(row['t'])) - old:%Y-%m-%dT%H:%M:%SZ}"} for row in daily_bars()]
    found, _, _ = asked("alpaca_bars", by_path(any={"bars": {"AAPL": bars}}), tmp_path)
    assert found == Votes((), {"AAPL": "its newest close is of 2026-09-20"})
    late = aggregates()
    rows: Any = late["results"]
    late["results"] = [{**row, "t": row["t"] - old // timedelta(milliseconds=1)} for row in rows]
    found, _, _ = asked("massive", by_path(bars=late), tmp_path, options={"data": "bars"})
    assert found == Votes((), {"AAPL": "its newest close is of 2026-09-20"})


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(5e-324, 1.7e308), min_size=60, max_size=70))
def test_whatever_prices_are_the_others_of_their_batch_have_votes(prices: list[float]) -> None:
    closes = {date(2026, 11, 19) - timedelta(days=n): price for n, price in enumerate(prices)}
    found = price_votes.price_vote("A", closes, date(2026, 11, 20))
    assert isinstance(found, str) or (-1 <= found.score <= 1 and 0 <= found.confidence <= 1)


@pytest.mark.parametrize("when", ["2026-11-17T15:34:00Z", "2026-11-20T15:36:00Z"])
@pytest.mark.parametrize("name", ["massive", "alpha_vantage", "alpaca_news"])
def test_news_of_another_time_are_no_vote(name: str, when: str, tmp_path: Path) -> None:
    """A vendor that does not keep to the time that was asked: too old, or not yet."""
    news, articles = massive_news("negative"), feed()
    for row in news["results"]:  # type: ignore[attr-defined]
        row["published_utc"] = when
    for row in articles["feed"]:  # type: ignore[attr-defined]
        row["time_published"] = f"{datetime.fromisoformat(when):%Y%m%dT%H%M%S}"
    bodies = {"massive": news, "alpha_vantage": articles,
              "alpaca_news": {"news": [{**ARTICLES["news"][0], "created_at": when}]}}  # fmt: skip
    changes: dict[str, Any] = {"options": {"data": "news"}} if name == "massive" else {}
    found, _, _ = asked(name, by_path(any=bodies[name], news=bodies[name]), tmp_path, **changes)
    assert (found.answered, list(found.silent)) == ((), ["AAPL"])
