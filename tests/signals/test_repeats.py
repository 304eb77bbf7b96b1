"""A signal that comes again without an id, a time or a key is one signal within the window, unless something else was
said in between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.signals.receipts.inbox import Receipt, SignalInbox

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
WITHIN = timedelta(seconds=60)
Step = tuple[str, str, float, float]  # source, symbol, score, seconds since the step before
steps = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from(("AAPL", "KO")), st.sampled_from((0.5, -0.5)),
        st.sampled_from((0.001, 1.0, 59.0, 60.0, 60.5)),
    ),
    max_size=25,
)  # fmt: skip


def row(symbol: str, score: float, **more: object) -> dict[str, Any]:
    return {"symbol": symbol, "score": score, "confidence": 1, **more}


@settings(max_examples=150, deadline=None)
@given(steps)
def test_a_repeat_is_the_newest_signal_of_its_source_and_symbol(tmp_path_factory: Any, done: Sequence[Step]) -> None:
    path = tmp_path_factory.mktemp("repeats") / "inbox.sqlite"
    newest: dict[tuple[str, str], tuple[float, datetime, Receipt]] = {}
    now, ids = NOON, set[str]()
    with SignalInbox.open(path) as inbox:
        for source, symbol, score, seconds in done:
            now += timedelta(seconds=seconds)
            (receipt,) = inbox.receive([row(symbol, score)], source=source, at=now, repeat_within=WITHIN)
            said, at, before = newest.get((source, symbol), (None, NOON, receipt))
            if said == score and now - at <= WITHIN:
                assert receipt == before._replace(is_new=False)
            else:
                assert (receipt.is_new, receipt.id in ids) == (True, False)
                newest[source, symbol] = (score, now, receipt)
            ids.add(receipt.id)


def test_what_names_itself_is_told_apart_and_off_is_off(tmp_path: Path) -> None:
    with SignalInbox.open(tmp_path / "inbox.sqlite") as inbox:

        def new(rows: Sequence[dict[str, Any]], seconds: int, within: timedelta = WITHIN, **more: Any) -> list[bool]:
            at = NOON + timedelta(seconds=seconds)
            return [r.is_new for r in inbox.receive(rows, source="a", at=at, repeat_within=within, **more)]

        same = row("KO", 0.5)
        assert new([same, same, row("PG", 0.5)], 0) == [True, False, True]
        assert new([same], 1) == [False]
        assert new([row("KO", 0.5, id="mine")], 2) == [True]
        assert new([row("KO", 0.5, issued_at="2026-11-20T17:00:02Z")], 3) == [True]
        assert new([same], 4, key="delivery") == [True]
        assert new([same], 5, timedelta(0)) == [True]
        assert new([row("KO", 0.5, stop_price=40)], 6) == [True]
        assert new([same], 7) == [True]  # the stop was withdrawn


def test_a_refused_row_stands_between_nothing(tmp_path: Path) -> None:
    with SignalInbox.open(tmp_path / "inbox.sqlite") as inbox:
        (first,) = inbox.receive([row("KO", 0.5)], source="a", at=NOON, repeat_within=WITHIN)
        later = NOON + timedelta(seconds=1)
        wrong, again = inbox.receive([row("KO", 7), row("KO", 0.5)], source="a", at=later, repeat_within=WITHIN)
        assert (wrong.problem[:6], again) == ("score:", first._replace(is_new=False))
