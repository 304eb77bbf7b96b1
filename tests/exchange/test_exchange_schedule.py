"""Dividends, splits, halts and borrowing on a schedule: from the seed, from a file and through the admin port."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas_market_calendars
import pytest
import requests

from rebalancer.core.documents import BadDocument
from rebalancer.exchange import corporate, corporate_actions
from rebalancer.exchange.calendar import FIRST_DAY, LAST_DAY, SessionTable, build_sessions, micros_of, new_york_day
from rebalancer.exchange.corporate_actions import CorporateAction
from rebalancer.exchange.market.listing import listings
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.records import get_asset
from rebalancer.exchange.schedule import read_schedule_file
from rebalancer.exchange.simulated_actions import simulated_actions
from rebalancer.exchange.starter import open_exchange, start_exchange
from tests.exchange.helpers import DAY, held, kinds

FILE = """\
dividends:
  - {symbol: KO, ex_date: 2026-11-24, pay_date: 2026-12-01, rate: 0.51}
splits: [{symbol: NVDA, ex_date: 2026-11-25, new: 4, old: 1}]
halts: [{symbol: AAPL, start: "2026-11-23T15:00:00Z", end: "2026-11-23T16:00:00Z"}]
borrowing: [{symbol: NKE, from: 2026-11-24, status: hard_to_borrow}]
"""
YEAR = date(2026, 11, 20).toordinal(), date(2031, 11, 20).toordinal()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library's own calls of pandas
def test_the_sessions_are_those_of_pandas_market_calendars() -> None:
    known = pandas_market_calendars.get_calendar("NYSE").schedule(FIRST_DAY.isoformat(), LAST_DAY.isoformat())
    assert build_sessions() == tuple(
        (day.toordinal(), micros_of(opens.to_pydatetime()), micros_of(closes.to_pydatetime()))
        for day, opens, closes in zip(known.index, known["market_open"], known["market_close"], strict=True)
    )


def five_years(seed: int) -> list[CorporateAction]:
    table = SessionTable(build_sessions())
    return list(simulated_actions(seed, list(listings().values()), table, *YEAR))


def test_the_seed_gives_every_payer_four_dividends_a_year_and_now_and_then_a_split() -> None:
    found = five_years(7)
    assert found == five_years(7) != five_years(8)
    assert len({(one.symbol, one.ex_day) for one in found}) == len({one.id for one in found}) == len(found)
    table = SessionTable(build_sessions())
    by_name: dict[str, list[CorporateAction]] = {}
    for one in found:
        assert YEAR[0] < one.ex_day <= YEAR[1]
        assert table.between(one.ex_day, one.ex_day), one
        assert one.declared_day < one.ex_day <= one.pay_day
        by_name.setdefault(one.symbol, []).append(one)
    payers = {name for name, rows in by_name.items() if any(one.kind == "dividend" for one in rows)}
    assert 150 <= len(payers) <= 250
    for name in payers:
        rates = [one.rate for one in by_name[name] if one.kind == "dividend"]
        assert len(rates) == 20
        assert all(rate == rate.quantize(Decimal("0.01")) > 0 for rate in rates)
        assert sum(rates) / 5 < Decimal(str(listings()[name].level)) * Decimal("0.04")
    splits = [one for one in found if one.kind == "split"]
    assert 20 <= len(splits) <= 200
    assert all((one.new, one.old) in ((2, 1), (3, 1), (4, 1), (1, 10)) for one in splits)
    one = next(one for one in splits if one.symbol in payers and one.new > one.old)
    rates = {row.ex_day < one.ex_day: row.rate for row in by_name[one.symbol] if row.kind == "dividend"}
    if len(rates) == 2:
        assert abs(rates[True] / one.new - rates[False]) <= Decimal("0.01")


def test_a_newcomers_long_simulation_has_dividends_and_splits_once(tmp_path: Path) -> None:
    options = ExchangeOptions(
        tmp_path / "state.db", speed=0, partial_fill_probability=0, corporate_actions="simulated",
        cash=Decimal(1_000_000),
    )  # fmt: skip
    exchange = open_exchange(options)
    planned = corporate_actions.actions(exchange.store)
    assert planned == sorted(five_years_of_calendar(exchange.sessions), key=lambda one: (one.ex_day, one.id))
    payer = next(one for one in planned if one.kind == "dividend")
    held(exchange, "100", payer.symbol)
    exchange.close()
    exchange = open_exchange(options)
    assert corporate_actions.actions(exchange.store) == planned
    exchange.clock.advance(120 * DAY)
    exchange.catch_up()
    rows = kinds(exchange, "DIV")
    assert rows
    assert rows[0]["net_amount"] == str((100 * payer.rate).normalize().quantize(Decimal("0.01")).normalize())
    declared = corporate.declared(exchange, exchange.caught_up)
    assert {one.ex_day - new_york_day(exchange.caught_up) <= 28 for one in declared} == {True}
    exchange.books.ledger.audit()
    dropped = corporate_actions.actions(exchange.store)[-1]
    exchange.store.execute("DELETE FROM corporate_action WHERE id = ?", (dropped.id,))
    exchange.close()
    exchange = open_exchange(options)  # a later version's own schedule must not come on top of this one
    assert dropped.id not in {one.id for one in corporate_actions.actions(exchange.store)}
    exchange.close()


def five_years_of_calendar(table: SessionTable) -> list[CorporateAction]:
    return list(simulated_actions(7, list(listings().values()), table, YEAR[0], table.days[-1] - 30))


def test_a_file_is_taken_once_and_survives_restarts(tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(FILE)
    options = ExchangeOptions(tmp_path / "state.db", speed=0, partial_fill_probability=0, schedule=file)
    for days in (0.0, 4.0, 10.0):
        exchange = open_exchange(options)
        exchange.clock.advance(days * DAY)
        exchange.catch_up()
        assert [(one.symbol, one.kind) for one in corporate_actions.actions(exchange.store)] == [
            ("KO", "dividend"),
            ("NVDA", "split"),
        ]
        assert [halt.symbol for halt in exchange.store.halts()] == ["AAPL"]
        assert [change.symbol for change in exchange.borrowing.changes] == ["NKE"]
        exchange.close()
    exchange = open_exchange(options)
    assert get_asset(exchange, "NKE")["borrow_status"] == "hard_to_borrow"
    exchange.close()


def test_a_halt_that_was_ended_early_does_not_come_back(tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text('halts: [{symbol: AAPL, start: "2026-11-20T15:30:00Z", end: "2026-11-20T18:00:00Z"}]')
    options = ExchangeOptions(tmp_path / "state.db", speed=0, schedule=file)
    exchange = open_exchange(options)
    exchange.clock.advance(3600)
    assert exchange.market.halts.halted(exchange.clock.micros()) == ["AAPL"]
    exchange.end_halts("AAPL")
    exchange.close()
    exchange = open_exchange(options)
    assert exchange.market.halts.halted(exchange.clock.micros()) == []
    exchange.close()


def test_the_file_of_the_page_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "point-your-own-client.md").read_text()
    file = tmp_path / "schedule.yaml"
    file.write_text("dividends:" + page.split("```yaml\ndividends:")[1].split("```")[0])
    assert [type(item).__name__ for _, item in read_schedule_file(file)] == [
        "Dividend",
        "Split",
        "Halt",
        "BorrowChange",
    ]


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("dividends: {}", ":1: dividends", "is not a list"),
        ("parties: []", ":1: parties", "is not known here"),
        ("[]", "", "is not an object"),
        ("splits:\n - 7", ":2: splits[0]", "is not an object"),
        ("splits:\n - {symbol: KO, ex_date: 2026-11-24, new: two, old: 1}", ":2: splits[0].new", "whole number"),
        ("splits:\n - {symbol: KO, ex_date: 2026-11-24, new: 2}", ":2: splits[0].old", "is missing"),
        ("splits:\n - {symbol: KO, ex_date: 24.11.2026, new: 2, old: 1}", ":2: splits[0].ex_date", "a date"),
        ("splits:\n - {symbol: KO, ex_date: 2026-11-19, new: 2, old: 1}", ":2: splits[0]", "has begun"),
        ("splits:\n - {symbol: ZZZ, ex_date: 2026-11-24, new: 2, old: 1}", ":2: splits[0]", "listed equity"),
        ("dividends:\n - {symbol: KO, ex_date: 2026-11-24, pay_date: 2026-11-24, rate: NaN}", "rate", "an amount"),
        ("dividends:\n - {symbol: KO, ex_date: 2026-11-24, pay_date: 2026-11-20, rate: 1}", "dividends[0]", "no sense"),
        ("halts:\n - {symbol: KO, start: soon, end: later}", "halts[0].start", "a time"),
        (
            "halts:\n - {symbol: KO, start: 2026-11-19T15:00:00Z, end: 2026-11-19T16:00:00Z}",
            "halts[0]",
            "is not a listed symbol",
        ),
        ("borrowing:\n - {symbol: KO, from: 2026-11-24, status: maybe}", "borrowing[0].status", "easy_to_borrow"),
        ("borrowing:\n - {symbol: KO, from: 2026-11-19, status: hard_to_borrow}", "borrowing[0]", "has begun"),
        ("splits: []\nsplits: []", ":2: splits", "appears twice"),
    ],
)
def test_mistakes_in_a_file_stop_the_start(tmp_path: Path, text: str, where: str, problem: str) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(text)
    with pytest.raises(BadDocument) as caught:
        open_exchange(ExchangeOptions(speed=0, schedule=file))
    assert where in caught.value.where
    assert problem in str(caught.value)


def test_the_admin_port_announces() -> None:
    options = ExchangeOptions(rate_limit_per_minute=0, speed=0, partial_fill_probability=0, admin_port=0)
    with start_exchange(options) as server:

        def ask(path: str, body: dict[str, Any]) -> tuple[int, Any]:
            answer = requests.post(f"{server.admin_url}/sim/{path}", json=body, timeout=300)
            return answer.status_code, answer.json()

        held(server.exchange)
        dividend = {"symbol": "AAPL", "ex_date": "2026-11-23", "pay_date": "2026-11-24", "rate": 0.5}
        split = {"symbol": "AAPL", "ex_date": "2026-11-24", "new": 2, "old": 1}
        halt = {"symbol": "KO", "start": "2026-11-25T15:00:00Z", "end": "2026-11-25T16:00:00Z"}
        for path, body in (("dividend", dividend), ("split", split), ("halt", halt)):
            assert ask(path, body) == (200, {"announced": {key: str(value) for key, value in body.items()}})
        borrow = {"symbol": "PG", "status": "hard_to_borrow"}
        assert ask("borrow", borrow) == (200, {"announced": {"from": "2026-11-21", **borrow}})
        assert ask("clock", {"to": "2026-11-25T15:05:00Z"})[1]["halted"] == ["KO"]
        assert [row["net_amount"] for row in kinds(server.exchange, "DIV")] == ["5"]
        assert server.exchange.books.held("AAPL") == 20
        assert get_asset(server.exchange, "PG")["shortable"] is False
        for path, body, words in (
            ("dividend", {**dividend, "ex_date": "soon"}, "ex_date: 'soon' is not a date"),
            ("split", {"symbol": "AAPL"}, "ex_date: is missing"),
            ("split", split, "has begun"),
            ("halt", {**halt, "end": "2026-11-20T15:00:00Z"}, "is not a listed symbol"),
            ("borrow", {**borrow, "party": 1}, "party: is not known here"),
            ("release", {"now": True}, "now: is not known here"),
        ):
            status, answer = ask(path, body)
            assert (status, words in answer["message"]) == (422, True), answer
        status, answer = ask("release", {})
        assert (status, answer["margin"]) == (200, {"call": None, "restricted": None})
