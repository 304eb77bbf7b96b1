"""Pairs of exits at the gate: each refusal, one just within it, and what never holds a pair back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.brokers.protocol import Allowed, BrokerOrder, ExitPair, SendResult
from rebalancer.core.errors import JournalBroken
from rebalancer.core.facts import Position
from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Rules
from rebalancer.execution.pretrade import PreTradeCheck
from rebalancer.execution.pretrade.throttle import latch_throttle, rearm_throttle
from rebalancer.journal import Journal
from rebalancer.journal.exit_order_records import ExitPairRecord, body_of
from tests.execution.pretrade.hands import NOON, RULES, Post, Wire, order, quote, readings

D = Decimal
_NUMBER = count(1)


class PairWire(Wire):
    """A wire that takes pairs too, and tells what is held."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[ExitPair] = []
        self.while_it_waits: Callable[[], object] = lambda: None
        self.told = {"orders": (), "quotes": ()}
        self.hold({})

    def hold(self, held: dict[str, str]) -> None:
        self.told["positions"] = tuple(Position(s, D(q), D(q), D(100)) for s, q in held.items())

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        self.while_it_waits()
        if allowed is not None and not allowed():
            return SendResult("not_sent", None, "withheld", "")
        self.pairs.append(pair)
        return SendResult("accepted", None, "accepted", "")


class Exits(Post):
    """A post that sends pairs: `exit_levels` writes the intent down, as the keeper does, then asks the gate."""

    def __init__(self, folder: Path, journal: Journal, account_id: str, rules: Rules, held: dict[str, str]) -> None:
        super().__init__(folder, journal, account_id, rules)
        self.rules = rules
        self.wire: PairWire = PairWire()
        self.wire.hold(held)
        self.restart()

    def restart(self, **options: Any) -> None:
        broker: Any = self.wire
        self.gate = PreTradeCheck(self.account_id, broker, self.journal, self.kill, self.rules, **options)

    def pair(
        self, name: str, qty: str = "10", stop: str = "95", target: str = "110", symbol: str = "AAA"
    ) -> ExitPairRecord:
        now = self.wire.time
        made = f"{self.account_id}-{name}"
        return ExitPairRecord(symbol, made, "intended", D(qty), D(stop), D(target), (), 1, 0, now, now, "")

    def write(self, kept: ExitPairRecord) -> ExitPairRecord:  # type: ignore[override]  # pairs instead of orders
        self.journal.record_event(self.account_id, None, self.wire.time, "protection", kept.symbol, body_of(kept))
        return kept

    def post(self, kept: ExitPairRecord) -> str:
        side = "sell" if kept.qty > 0 else "buy"
        pair = ExitPair(
            kept.client_order_id,
            kept.symbol,
            side,
            abs(kept.qty),
            kept.stop,
            kept.target,
            stop_limit_price=kept.stop_limit,
        )  # type: ignore[arg-type]  # one of the two
        before = len(self.wire.pairs)
        result = self.gate.submit_pair(pair)
        assert len(self.wire.pairs) - before == (result.kind == "accepted")
        return "" if result.kind == "accepted" else result.reason

    def protect(self, kept: ExitPairRecord) -> str:
        said = self.post(self.write(kept))
        self.write(
            kept._replace(
                state="gone" if said else "open", ids=() if said else (f"{kept.client_order_id}-t",), sent=not said
            )
        )
        return said


@pytest.fixture
def exits(journal: Journal, tmp_path: Path) -> Callable[..., Exits]:
    def make(held: dict[str, str] | None = None, **changes: Any) -> Exits:
        rules = RULES.model_copy(update={"gate": RULES.gate.model_copy(update=changes)})
        return Exits(tmp_path, journal, f"exits-{next(_NUMBER)}", rules, {"AAA": "10"} if held is None else held)

    return make


Make = Callable[..., Exits]


def working(
    name: str, qty: str | None, side: str = "sell", legs: tuple[str, ...] = (), filled: str = "0"
) -> BrokerOrder:
    return BrokerOrder(
        name, f"client-{name}", "AAA", "us_equity", side, "limit", None if qty is None else D(qty), None, D(110),  # type: ignore[arg-type]  # a side
        D(filled), None, "new", OrderState.OPEN, NOON, None, legs=legs,
    )  # fmt: skip


def test_a_pair_passes_whatever_the_session_and_the_counts_of_the_day(exits: Make) -> None:
    desk = exits()
    few = {"max_orders_per_day": 0, "max_orders_per_symbol_per_day": 0}
    desk.rules = desk.rules.model_copy(update={"risk_management": desk.rules.risk_management.model_copy(update=few)})
    desk.wire.time += timedelta(hours=14)
    desk.restart()
    assert desk.protect(desk.pair("a")) == ""


@pytest.mark.parametrize(
    ("stop", "target", "qty"),
    [("110", "95", "10"), ("95", "95", "10"), ("0", "110", "10"), ("95", "110", "-10")],
)
def test_form_stop_and_target_on_the_right_sides_of_each_other(exits: Make, stop: str, target: str, qty: str) -> None:
    assert exits().protect(exits().pair("a", qty, stop, target)) == "gate:form"


@pytest.mark.parametrize(("limit", "said"), [("94.5", ""), ("95", ""), ("95.01", "gate:form"), ("0", "gate:form")])
def test_form_the_limit_of_a_stop_is_no_better_than_the_stop(exits: Make, limit: str, said: str) -> None:
    assert exits().protect(exits().pair("a")._replace(stop_limit=D(limit))) == said


def test_intent_the_limit_of_a_stop_is_the_one_that_was_written_down(exits: Make) -> None:
    desk = exits()
    assert desk.post(desk.write(desk.pair("a"))._replace(stop_limit=D(94))) == "gate:intent"


@pytest.mark.parametrize(("price", "said"), [("95", "gate:form"), ("95.01", ""), ("109.99", ""), ("110", "gate:form")])
def test_form_the_quote_lies_between_where_it_is_known(exits: Make, price: str, said: str) -> None:
    desk = exits()
    desk.wire.told["quotes"] = (quote("AAA", price),)
    assert desk.protect(desk.pair("a")) == said
    old = exits()
    old.wire.told["quotes"] = (quote("AAA", price, age_seconds=9999),)
    assert old.protect(old.pair("a")) == "", "an old quote is not known"


def test_the_intent_stands_in_the_journal_and_leaves_once(exits: Make) -> None:
    desk = exits()
    kept = desk.pair("a")
    assert desk.post(kept) == "gate:intent"
    desk.write(kept)
    assert desk.post(kept._replace(stop=D(94))) == "gate:intent"
    assert desk.post(kept) == ""
    assert desk.post(kept) == "gate:intent", "sent by this gate"
    other = exits()
    kept = other.write(other.pair("b"))
    other.restart()
    assert other.post(kept) == "gate:intent", "an intent from before this process may have been sent"
    third = exits()
    kept = third.write(third.pair("c"))
    third.write(kept._replace(state="unknown"))
    assert third.post(kept) == "gate:intent"


TRIES = RULES.protection.attempts


def test_kill_switch_and_flatten_stop_pairs(exits: Make) -> None:
    desk = exits()
    desk.restart(closing_only=True)
    assert desk.protect(desk.pair("a")) == "gate:closing_only"
    desk.restart()
    desk.kill.engage(desk.account_id, NOON, "enough")
    assert desk.protect(desk.pair("c")) == "gate:kill_switch"
    assert desk.wire.calls == [], "a stopped gate asks nothing"


def test_a_latched_throttle_lets_each_position_have_its_exits_back_and_stops_a_runaway(exits: Make) -> None:
    """Every position has as many tries as `protection.attempts`, whatever else is sent in the minute; a try that never
    left is none."""
    desk = exits({"AAA": "10", "BBB": "10"}, max_orders_per_minute=1)
    assert desk.protect(desk.pair("before", "1", "80")) == ""
    latch_throttle(desk.journal, desk.account_id, None, NOON, "too many")
    for symbol in ("AAA", "BBB"):
        assert desk.protect(desk.pair(f"{symbol}-form", "1", "120", symbol=symbol)) == "gate:form"
        said = [desk.protect(desk.pair(f"{symbol}-{n}", "1", str(90 - n), symbol=symbol)) for n in range(TRIES + 1)]
        assert said == [*[""] * TRIES, "gate:throttle"]
    desk.restart()
    assert desk.protect(desk.pair("again", "1", "70")) == "gate:throttle", "a restart gives no more"
    assert rearm_throttle(desk.journal, desk.account_id, NOON, "looked into it")
    latch_throttle(desk.journal, desk.account_id, None, NOON, "too many again")
    assert desk.protect(desk.pair("later", "1", "60")) == "", "another latch, another count"
    assert len(desk.journal.events(kind="latched", account_id=desk.account_id)) == 2


def test_what_happens_while_a_pair_waits_for_its_turn_still_stops_it(
    exits: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = exits()
    desk.wire.while_it_waits = lambda: desk.kill.engage(desk.account_id, NOON, "enough")
    assert desk.protect(desk.pair("a")) == "gate:kill_switch"
    desk.kill.lift(desk.account_id, NOON, "go on")
    asked = len(desk.wire.calls)

    def runaway() -> None:
        latch_throttle(desk.journal, desk.account_id, None, NOON, "too many")
        for n in range(TRIES):
            desk.write(desk.pair(f"r{n}"))

    desk.wire.while_it_waits = runaway
    assert desk.protect(desk.pair("b")) == "gate:throttle"
    assert len(desk.wire.calls) == asked, "inside a request nothing is asked"
    other = exits()

    def broken(*_: object) -> None:
        raise JournalBroken("the disk is gone")

    other.wire.while_it_waits = lambda: monkeypatch.setattr(other.gate, "_read_ledger", broken)
    kept = other.write(other.pair("c"))
    assert other.post(kept) == "gate:journal"
    monkeypatch.undo()
    other.write(kept._replace(state="gone", sent=False))
    other.wire.while_it_waits = lambda: None
    assert other.protect(other.pair("d")) == "", "nothing has happened meanwhile"


@pytest.mark.parametrize("name", ["positions", "orders"])
def test_what_cannot_be_read_lets_nothing_out(exits: Make, name: str) -> None:
    desk = exits()
    answer = desk.wire.told.pop(name)
    assert desk.protect(desk.pair("a")) == "gate:readings"
    desk.wire.told[name] = answer
    desk.gate.prepare_pairs()
    assert desk.protect(desk.pair("b")) == ""


def test_it_reduces_what_is_held(exits: Make) -> None:
    for held in ({}, {"AAA": "-10"}):
        desk = exits(held)
        assert desk.protect(desk.pair("a")) == "gate:not_held"
    short = exits({"AAA": "-10"})
    assert short.protect(short.pair("a", "-10", "110", "95")) == ""


def test_no_more_than_held_and_not_promised(exits: Make) -> None:
    desk = exits()
    assert desk.protect(desk.pair("a", "11")) == "gate:oversell"
    desk.wire.told["orders"] = (working("x", "4", legs=("y",)), working("y", "4"), working("b", "9", "buy"))
    desk.gate.prepare_pairs()
    assert desk.protect(desk.pair("b", "7")) == "gate:oversell"
    assert desk.protect(desk.pair("c", "6")) == "", "the two legs of one pair count once"
    odd = exits()
    odd.wire.told["orders"] = (working("x", None),)
    assert odd.protect(odd.pair("a", "1")) == "gate:oversell", "nobody knows what it takes"


def test_our_own_orders_and_pairs_in_doubt_are_promised(exits: Make) -> None:
    desk = exits()
    desk.write(desk.pair("a", "4")._replace(state="unknown"))
    assert desk.protect(desk.pair("b", "7")) == "gate:oversell"
    assert desk.protect(desk.pair("c", "6")) == ""
    other = exits()
    Post.write(other, order("s", side="sell", qty="4"))
    assert other.protect(other.pair("a", "7")) == "gate:oversell"
    other.book("s", OrderState.FILLED, "4")
    assert other.protect(other.pair("b", "7")) == "gate:oversell", "sold since the reading"
    assert other.protect(other.pair("c", "6")) == ""


def test_no_quantity_and_only_duplicates_hold_a_pair_back(exits: Make) -> None:
    desk = exits({"AAA": "100"}, max_order_quantity=D(10))
    assert desk.protect(desk.pair("a", "11")) == ""
    assert desk.protect(desk.pair("b", "10")) == ""
    assert desk.protect(desk.pair("c", "10")) == "gate:duplicate"
    assert desk.protect(desk.pair("d", "9")) == ""
    desk.wire.time += timedelta(seconds=RULES.gate.duplicate_window_seconds + 1)
    assert desk.protect(desk.pair("e", "10")) == ""


def test_repeated_pairs_and_orders_share_the_minute_and_latch(exits: Make) -> None:
    desk = exits({"AAA": "10", "BBB": "10", "CCC": "10"}, max_orders_per_minute=3)
    said = [desk.protect(desk.pair(f"{s}-0", "1", symbol=s)) for s in ("AAA", "BBB", "CCC")]
    assert said == ["", "", ""], "the first pair of each symbol is not counted"
    again = [desk.protect(desk.pair(f"n{n}", "1", str(90 - n))) for n in range(4)]
    assert again == ["", "", "", "gate:orders_per_minute"]
    assert [desk.protect(desk.pair(f"late-{n}", "1", str(70 - n))) for n in range(TRIES + 1)] == [
        *[""] * TRIES, "gate:throttle",
    ]  # fmt: skip
    latched = desk.journal.events(kind="latched", account_id=desk.account_id)
    assert [e.key for e in latched] == ["throttle"]
    mixed = exits({"AAA": "10"}, max_orders_per_minute=3)
    assert [mixed.protect(mixed.pair(f"m{n}", "1", str(90 - n))) for n in range(3)] == ["", "", ""]
    mixed.gate.take(readings({"AAA": "10"}))
    Post.write(mixed, order("o1"), order("o2", "BBB"))
    assert [mixed.ask(order("o1")), mixed.ask(order("o2", "BBB"))] == ["", "orders_per_minute"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.integers(-30, 30),
    wanted=st.lists(st.integers(-20, 20).filter(bool), max_size=6),
    resting=st.integers(0, 12),
)
def test_pairs_never_take_more_than_is_held(exits: Make, held: int, wanted: list[int], resting: int) -> None:
    desk = exits({"AAA": str(held)})
    if resting:
        desk.wire.told["orders"] = (working("x", str(resting), "sell" if held > 0 else "buy"),)
    for number, qty in enumerate(wanted):
        stop, target = ("95", "110") if qty > 0 else ("110", "95")
        kept = desk.pair(f"p{number}", str(qty), stop, target)
        said = desk.post(desk.write(kept))
        desk.write(kept._replace(state="gone" if said else "unknown", sent=not said))
    assert sum(p.qty for p in desk.wire.pairs) <= max(abs(held) - resting, 0)
    assert all((p.side == "sell") == (held > 0) for p in desk.wire.pairs)
