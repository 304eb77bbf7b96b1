"""Since when a position has no exits: journalled before they are asked to come down, told when it lasts too long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rebalancer.journal.exit_order_records import exit_pair_of
from tests.execution.exit_orders.account_rig import PAIR, Desk

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")


def test_from_the_moment_a_pair_is_asked_to_come_down_it_protects_nothing(desk: Desk) -> None:
    guard = desk.guard()
    desk.keeper().place([guard])
    (kept,) = desk.keeper().kept().values()
    assert (kept.stands, kept.bare_since) == (True, None)
    asked = desk.broker.now()
    desk.broker.deaf = True  # the cancel has no answer: it may have arrived
    desk.keeper().release({"KO"})
    desk.clock.wait(20)
    desk.keeper().release({"KO"})
    (kept,) = desk.keeper().kept().values()
    assert (kept.state, kept.stands) == ("open", False)
    assert kept.bare_since is not None
    assert abs(kept.bare_since - asked) < timedelta(seconds=2), "the first time counts"
    desk.broker.deaf = False
    desk.clock.wait(20)
    desk.keeper().place([guard])
    (new,) = desk.keeper().kept().values()
    assert (new.state, new.bare_since, desk.resting()) == ("open", None, PAIR)
    assert new.number > kept.number, "exchanged for a sure one"
    gaps = desk.events("protection_gap")
    assert [gap["is_up"] for gap in gaps] == [True, True]
    assert 38 < gaps[1]["seconds"] < 50, "from the asking, not from the confirmation"
    assert desk.events("alert") == []


@pytest.mark.parametrize(("wait", "told"), [(50, []), (70, ["warning"])])
def test_a_person_is_told_before_the_pair_is_posted_when_it_took_too_long(
    desk: Desk, wait: float, told: list[str]
) -> None:
    desk.keeper().place([desk.guard()])
    desk.keeper().release({"KO"})
    desk.clock.wait(wait)
    desk.broker.script = ["lost after"]
    desk.keeper().place([desk.guard()])
    assert [(a["level"], a["code"]) for a in desk.events("alert")] == [(level, "unprotected") for level in told]
    desk.keeper().look(None)  # found
    assert [a["level"] for a in desk.events("alert")] == told, "once"
    assert [gap["seconds"] > wait for gap in desk.events("protection_gap")] == [False, True]


def test_what_was_said_before_it_lasted_too_long_does_not_count(desk: Desk) -> None:
    desk.keeper().place([desk.guard()])
    desk.keeper().release({"KO"})
    early = {"level": "action", "code": "unprotected", "text": "KO: without stop and target for 0 s, and still"}
    desk.journal.record_event(desk.rig.account_id, None, desk.broker.now(), "alert", "KO", early)
    desk.clock.wait(70)
    desk.keeper().place([desk.guard()])
    assert [a["level"] for a in desk.events("alert")] == ["action", "warning"]


def test_a_new_position_is_bare_from_the_moment_before_its_first_order(desk: Desk) -> None:
    before = desk.broker.now()
    assert desk.keeper().release({"KO", "BTC/USD"}) == {}
    desk.clock.wait(10)
    assert desk.keeper().release({"KO"}) == {}
    (kept,) = desk.keeper().kept().values()
    assert (kept.symbol, kept.state, kept.because, kept.to_trade) == ("KO", "gone", "about to trade", True)
    (body,) = desk.events("protection")
    older = desk.journal.recall(desk.rig.account_id, "protection")[0]
    assert exit_pair_of(older._replace(body={k: v for k, v in body.items() if k != "to_trade"})).to_trade
    assert kept.bare_since is not None
    assert abs(kept.bare_since - before) < timedelta(seconds=2)
    desk.keeper().place([desk.guard()])
    (gap,) = desk.events("protection_gap")
    assert 8 < gap["seconds"] < 20


@pytest.mark.parametrize(("had_a_pair", "told"), [(True, ["warning"]), (False, [])])
def test_a_position_that_was_left_after_too_long_without_exits_is_told_of(
    desk: Desk, had_a_pair: bool, told: list[str]
) -> None:
    desk.keeper().place([desk.guard()] if had_a_pair else [])
    desk.keeper().release({"KO"})
    desk.clock.wait(70)
    for _ in range(2):
        desk.keeper().place([])
    assert [a["level"] for a in desk.events("alert")] == told


def test_a_position_that_is_held_no_more_lacks_nothing(desk: Desk) -> None:
    desk.keeper().place([desk.guard()])
    desk.keeper().release({"KO"})
    assert [kept.bare_since is None for kept in desk.keeper().kept().values()] == [False]
    desk.keeper().place([])
    assert [kept.bare_since for kept in desk.keeper().kept().values()] == [None]
    count = len(desk.events("protection"))
    desk.keeper().place([])
    assert len(desk.events("protection")) == count


def test_a_record_of_an_earlier_version_says_nothing_of_it(desk: Desk) -> None:
    desk.keeper().place([desk.guard()])
    event = desk.journal.events(kind="protection")[0]
    old = {name: value for name, value in event.body.items() if name != "bare_since"}
    assert event.body["bare_since"] is not None
    assert exit_pair_of(event._replace(body=old)) == exit_pair_of(event)._replace(bare_since=None)
