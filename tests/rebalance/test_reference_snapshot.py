"""The day sheet: what is kept for a day, when it is read again, and that a damaged one is only a question more."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.facts import Session
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.market_data.reference import NO_CLOSES, Reference, apart, day_start, open_session
from rebalancer.market_data.statistics import correlation_groups, volatilities
from rebalancer.market_data.stored_closes import closes_of
from rebalancer.ops.clock import Together, one_by_one
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.rig import SECTORS, Rig, rules

SESSION = Session(True, datetime(2026, 11, 20, 14, 30, tzinfo=UTC), datetime(2026, 11, 20, 21, 0, tzinfo=UTC))


def spoilt(change: Callable[[dict[str, Any]], Any]) -> Callable[[str], str]:
    def spoil(text: str) -> str:
        document = json.loads(text)
        found = change(document)
        return json.dumps(document if found is None else found)

    return spoil


DAMAGES: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "torn": lambda text: text[: len(text) // 2],
    "a list": lambda text: "[]",
    "another schema": spoilt(lambda d: d.update(schema="rebalancer.sheet/0")),
    "no session": spoilt(lambda d: d.pop("session")),
    "session of another kind": spoilt(lambda d: d.update(session="today")),
    "no open": spoilt(lambda d: d["session"].update(open=None)),
    "a lot that is no number": spoilt(lambda d: d["instruments"][0].update(lot="many")),
    "an instrument too wide": spoilt(lambda d: d["instruments"][0].update(colour="red")),
    "closes of another kind": spoilt(lambda d: d.update(closes=[1, 2])),
    "other sectors": spoilt(lambda d: d.update(sectors="0123")),
}


@pytest.mark.parametrize("name", list(DAMAGES))
def test_a_damaged_sheet_is_read_again(settled: MakeRig, name: str) -> None:
    rig = settled()
    sheet = rig.folder / "day-sheet.json"
    sheet.write_text(DAMAGES[name](sheet.read_text()))
    rig.requests()
    assert rig.run(NEXT, rules()).outcome is CycleOutcome.COMPLETED
    assert ("GET", "/v2/stocks/bars") in rig.requests()


def reference(rig: Rig, **changes: Any) -> Reference:
    return Reference(rig.client(), rig.folder, SECTORS, rules(**changes))


def test_the_sheet_survives_its_file_unchanged(settled: MakeRig) -> None:
    rig = settled()
    now = rig.exchange.clock.now()
    first = reference(rig).read(["AAPL", "NVR", "BTC/USD", "ZZZZ"], now)
    again = reference(rig).read(["AAPL", "ZZZZ"], now)
    rig.requests()
    assert (again.session, again.asked, again.instruments) == (first.session, first.asked, first.instruments)
    assert again.closes.days == first.closes.days
    for symbol, row in first.closes.closes.items():
        np.testing.assert_array_equal(np.array(again.closes.closes[symbol]), np.array(row))
    assert "ZZZZ" in again.asked
    assert "ZZZZ" not in {i.symbol for i in again.instruments}
    assert "AAPL" in reference(rig).symbols()
    assert rig.requests() == []


def test_what_another_reader_has_stored_is_not_asked_for_again(settled: MakeRig) -> None:
    """The monitor and the cycle each have a reader of their own, and hold different symbols in memory."""
    rig = settled()
    now = rig.exchange.clock.now()
    one, other = reference(rig), reference(rig)
    one.read(["AAPL"], now)
    wide = other.read(["AAPL", "NVR"], now)
    rig.requests()
    assert (one.read(["NVR"], now).asked, rig.requests()) == (wide.asked, [])
    one.read(["VTI"], now)
    assert ("GET", "/v2/stocks/bars") in rig.requests()
    found = other.read(["NVR", "VTI"], now)
    assert (rig.requests(), found.asked) == ([], tuple(sorted({*wide.asked, "VTI"})))


def test_a_sheet_serves_one_day_and_one_set_of_rules(settled: MakeRig) -> None:
    rig = settled()
    now = rig.exchange.clock.now()
    rig.requests()
    reference(rig).read(["AAPL"], now)
    assert rig.requests() == []
    for moment in (SESSION.close, SESSION.open - timedelta(hours=11), SESSION.open + timedelta(days=3)):
        reference(rig).read(["AAPL"], moment)
        assert ("GET", "/v2/clock") in rig.requests()
    reference(rig, risk_management__correlation_threshold=0.5).read(["AAPL"], now)
    assert ("GET", "/v2/clock") in rig.requests()


def test_the_benchmark_comes_with_the_same_request_and_changes_nothing_else(settled: MakeRig) -> None:
    rig = settled()
    now = rig.exchange.clock.now()
    names = ["AAPL", "KO", "BTC/USD"]
    sheet = rig.folder / "day-sheet.json"
    sheet.unlink()
    plain = reference(rig, reporting__benchmark="").read(names, now)
    rig.requests()
    sheet.unlink()
    found = reference(rig, reporting__benchmark="SPY").read(names, now)
    assert [path for _, path in rig.requests() if path.endswith("/bars")] == [
        "/v2/stocks/bars", "/v1beta3/crypto/us/bars",
    ]  # fmt: skip
    assert found.benchmark.symbols == ("SPY",)
    assert len(found.benchmark.days) > 250
    assert (found.asked, found.instruments, found.session) == (plain.asked, plain.instruments, plain.session)
    assert (found.closes.symbols, found.closes.days) == (plain.closes.symbols, plain.closes.days)
    for symbol, row in plain.closes.closes.items():
        np.testing.assert_array_equal(np.array(found.closes.closes[symbol]), np.array(row))
    assert reference(rig, reporting__benchmark="SPY").read(names, now).benchmark == found.benchmark
    stored = closes_of(rig.folder, "SPY")
    assert stored is not None
    assert (stored.days, stored.closes) == (found.benchmark.days, found.benchmark.closes["SPY"])


@pytest.mark.parametrize("benchmark", ["ZZZZ", "^GSPC", "", "ETH/USD"])
def test_a_benchmark_that_has_no_bars_stops_nothing(settled: MakeRig, benchmark: str) -> None:
    rig = settled()
    (rig.folder / "day-sheet.json").unlink()
    assert rig.run(NEXT, rules(reporting__benchmark=benchmark)).outcome is CycleOutcome.COMPLETED
    assert benchmark not in json.loads((rig.folder / "day-sheet.json").read_text())["benchmark"]["closes"]


def test_bars_that_did_not_come_are_no_benchmark() -> None:
    nan = float("nan")
    own, extra = apart(closes({"A": [1.0, nan, 3.0], "SPY": [nan, nan, nan]}), ["SPY"], {"B/USD"})
    assert (own.symbols, own.closes, extra) == (("A",), {"A": (1.0, 3.0)}, NO_CLOSES)
    own, extra = apart(
        closes({"A": [1.0, nan, 3.0], "B/USD": [1.0, 2.0, 3.0], "SPY": [5.0, 6.0, nan]}), ["SPY"], {"B/USD"}
    )
    assert own.closes == {"A": (1.0, 3.0), "B/USD": (1.0, 3.0)}, "days on which only the benchmark traded are none"
    assert extra.closes["SPY"][:2] == (5.0, 6.0)


def test_sessions() -> None:
    assert open_session(SESSION, SESSION.open).is_open
    assert not open_session(SESSION, SESSION.close).is_open
    assert not open_session(SESSION, SESSION.open - timedelta(microseconds=1)).is_open
    assert day_start(SESSION, SESSION.open) == datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
    evening_before = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)  # still the 19th in New York
    assert day_start(SESSION, evening_before) == datetime(2026, 11, 19, 5, 0, tzinfo=UTC)
    summer = Session(True, datetime(2026, 7, 20, 13, 30, tzinfo=UTC), datetime(2026, 7, 20, 20, 0, tzinfo=UTC))
    assert day_start(summer, summer.close) == datetime(2026, 7, 20, 4, 0, tzinfo=UTC)


def closes(rows: dict[str, list[float]]) -> DailyCloses:
    days = max(len(row) for row in rows.values())
    axis = tuple(date(2026, 1, 1) + timedelta(days=i) for i in range(days))
    return DailyCloses(tuple(rows), axis, {s: tuple(row) for s, row in rows.items()})


def test_volatility_is_the_sample_deviation_of_log_returns() -> None:
    up, down = 1.02, 1 / 1.01
    prices = [100.0]
    for i in range(120):
        prices.append(prices[-1] * (up if i % 2 else down))
    returns = np.diff(np.log(prices))
    found = volatilities(closes({"A": prices, "SHORT": prices[:40], "FLAT": [5.0] * 121}))
    assert set(found) == {"A"}, "too few returns and no movement say nothing"
    assert found["A"] == pytest.approx(float(np.std(returns, ddof=1)) * math.sqrt(252), abs=1e-6)


def test_correlation_groups_are_chained_and_named_after_their_first() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, (4, 121))
    a = noise[0]
    b = a + 0.3 * noise[1]
    c = b + 0.45 * noise[2]
    rows = {"C": c, "A": a, "B": b, "LONE": noise[3]}
    prices = {s: list(100 * np.exp(np.cumsum(row))) for s, row in rows.items()}
    related = np.corrcoef([np.diff(np.log(prices[s])) for s in ("A", "B", "C")])
    threshold = float(related[0, 2] + min(related[0, 1], related[1, 2])) / 2
    assert related[0, 2] < threshold < min(related[0, 1], related[1, 2]), "A and C are tied through B alone"
    found = correlation_groups(closes({**prices, "NEW": [float("nan")] * 100 + prices["A"][:21]}), threshold)
    assert found == {"C": "C", "A": "C", "B": "C", "LONE": "LONE"}
    assert correlation_groups(closes({"NEW": [1.0] * 3}), 0.7) == {}


def test_together_keeps_the_order_and_raises_after_all_have_ended() -> None:
    done: list[int] = []

    def act(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        done.append(number)
        return number * 10

    together = Together(3)
    assert together(lambda n: n * 10, [3, 1, 2]) == one_by_one(lambda n: n * 10, [3, 1, 2]) == [30, 10, 20]
    with pytest.raises(ValueError, match="two"):
        together(act, [1, 2, 3, 4, 5])
    assert sorted(done) == [1, 3, 4, 5]
    together.close()
