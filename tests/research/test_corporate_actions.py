"""Files of corporate actions: the formats, from which bar on they count, and what is refused."""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.research.corporate_actions import (
    CorporateEvent,
    align_actions,
    gone_names,
    read_actions,
    without_effect,
)
from rebalancer.research.market import Market
from rebalancer.research.price_files import explained, read_prices
from tests.research.setups import random_market

NAN = float("nan")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def rows(events: list[CorporateEvent]) -> list[tuple[str, str, str, str]]:
    return [(event.day.isoformat(), event.symbol, event.kind, str(event.value)) for event in events]


ALPACA = {
    "corporate_actions": {
        "cash_dividends": [{"symbol": "KO", "ex_date": "2026-03-13", "rate": 0.51, "payable_date": "2026-04-01"}],
        "forward_splits": [{"symbol": "NVDA", "ex_date": "2026-06-10", "new_rate": 10, "old_rate": 1}],
        "reverse_splits": [{"symbol": "ABC", "ex_date": "2026-06-11", "new_rate": 1, "old_rate": 20}],
        "stock_dividends": [{"symbol": "XYZ", "ex_date": "2026-06-12", "rate": 0.05}],
        "cash_mergers": [{"acquiree_symbol": "TWTR", "effective_date": "2026-10-27", "rate": 54.2}],
        "worthless_removals": [{"symbol": "SIVB", "process_date": "2026-11-01"}],
        "name_changes": [{"old_symbol": "FB", "new_symbol": "META", "process_date": "2026-06-09"}],
    },
    "next_page_token": None,
}
EXCHANGE = {
    "dividends": [{"symbol": "KO", "ex_date": "2026-03-13", "pay_date": "2026-04-01", "rate": "0.51"}],
    "splits": [{"symbol": "NVDA", "ex_date": "2026-06-10", "new": 10, "old": 1}],
    "halts": [{"symbol": "AAPL", "start": "2026-12-02T16:00:00Z", "end": "2026-12-02T16:30:00Z"}],
}
KO, NVDA = ("2026-03-13", "KO", "dividend", "51/100"), ("2026-06-10", "NVDA", "split", "10")


def test_csv(tmp_path: Path) -> None:
    text = (
        "symbol,ex_date,kind,value\nNVDA,2026-06-10,split,10:1\nABC,2026-06-11,reverse_split,0.05\n"
        "KO,2026-03-13,dividend,0.51\nSIVB,2026-11-01,delisting,0\n"
    )
    assert rows(read_actions(written(tmp_path, "a.csv", text))) == [
        KO, NVDA, ("2026-06-11", "ABC", "split", "1/20"), ("2026-11-01", "SIVB", "delisting", "0"),
    ]  # fmt: skip


def test_as_alpaca_answers(tmp_path: Path) -> None:
    assert rows(read_actions(written(tmp_path, "a.json", json.dumps(ALPACA)))) == [
        KO, NVDA, ("2026-06-11", "ABC", "split", "1/20"), ("2026-06-12", "XYZ", "split", "21/20"),
        ("2026-10-27", "TWTR", "delisting", "271/5"), ("2026-11-01", "SIVB", "delisting", "0"),
    ]  # fmt: skip


def test_the_schedule_of_the_exchange(tmp_path: Path) -> None:
    assert rows(read_actions(written(tmp_path, "a.json", json.dumps(EXCHANGE)))) == [KO, NVDA]


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("symbol,kind,value\nKO,dividend,1\n", "a.csv", "has no column ex_date"),
        ("symbol,ex_date,kind,value\nKO,2026-03-13,gift,1\n", "a.csv:2: kind", "'gift' is not known"),
        ("symbol,ex_date,kind,value\nKO,2026-03-13,dividend,0\n", "a.csv:2: value", "is no amount of USD a share"),
        ("symbol,ex_date,kind,value\nKO,2026-03-13,dividend,x\n", "a.csv:2: value", "'x' is not a number"),
        ("symbol,ex_date,kind,value\nKO,2026-03-13,split,1\n", "a.csv:2: value", "'1' is no split"),
        ("symbol,ex_date,kind,value\nKO,2026-03-13,split,4:0\n", "a.csv:2: value", "'4:0' is no split"),
        ("symbol,ex_date,kind,value\nKO,2026-03-13,split,-4\n", "a.csv:2: value", "'-4' is no split"),
        ("symbol,ex_date,kind,value\nKO,soon,dividend,1\n", "a.csv:2: ex_date", "'soon' is not a time"),
        ("symbol,ex_date,kind,value\n,2026-03-13,dividend,1\n", "a.csv:2: symbol", "is missing"),
        (
            "symbol,ex_date,kind,value\nKO,2026-03-13,dividend,1\nKO,2026-03-13,dividend,1\n", "a.csv:3",
            "says the same as",
        ),
    ],
)  # fmt: skip
def test_refusals(text: str, place: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(BadDocument) as error:
        read_actions(written(tmp_path, "a.csv", text))
    assert str(error.value).startswith(str(tmp_path / place))
    assert problem in str(error.value)


def test_refusals_of_json(tmp_path: Path) -> None:
    for document, problem in (
        ([], "does not hold corporate actions"),
        ({**ALPACA, "next_page_token": "x"}, "there are more actions than it holds"),
        ({"corporate_actions": {"spin_offs": [{"symbol": "A"}]}}, "spin_offs cannot be simulated"),
        ({"corporate_actions": {"cash_dividends": [3]}}, "cash_dividends[0]: is not an object"),
    ):
        with pytest.raises(BadDocument) as error:
            read_actions(written(tmp_path, "a.json", json.dumps(document)))
        assert problem in str(error.value)


def event(market: Market, bar: int, name: int, kind: str, value: Fraction) -> CorporateEvent:
    day = date.fromordinal(int(market.day[bar]))
    return CorporateEvent(day, market.symbols[name], kind, value, "a.csv:2")  # type: ignore[arg-type]


def test_from_which_bar_on_an_action_counts() -> None:
    market = random_market(8, 2)
    market.close[3:5, 0] = NAN
    market.close[5:, 0] /= 4
    market.close[6:, 1] = NAN
    events = [
        event(market, 3, 0, "split", Fraction(4)),
        event(market, 2, 1, "dividend", Fraction(1, 2)),
        event(market, 0, 1, "dividend", Fraction(1, 2)),
        event(market, 6, 1, "delisting", Fraction(3)),
        event(market, 6, 1, "dividend", Fraction(1))._replace(symbol="OTHER"),
    ]
    found = align_actions(market, events, [(7, 1), (7, 0)], 0.5)
    price = float(market.close[6, 0]) / 2
    assert [column.tolist() for column in found] == [
        [2, 5, 6, 7], [1, 0, 1, 0], [1, 4, 0, 0], [1, 1, 1, 1], [0.5, 0.0, 3.0, price],
    ]  # fmt: skip


def closes(*prices: float) -> Market:
    market = random_market(len(prices), 1)
    return market._replace(close=np.array(prices)[:, None])


def kinds(market: Market, events: list[CorporateEvent], days: int = 3) -> list[tuple[int, str, float]]:
    """Bar, kind, and what is paid or the ratio."""
    found = align_actions(market, events, gone_names(market, days), 1.0)
    rows = zip(*(column.tolist() for column in found), strict=True)
    return [
        (
            bar,
            "delisting" if new == 0 else "dividend" if new == old else "split",
            cash if new in (0, old) else new / old,
        )
        for bar, _, new, old, cash in rows
    ]


def test_actions_during_a_halt_count_in_the_order_of_their_days() -> None:
    """The dividend is one of new shares, although both count at the bar of the next price."""
    market = closes(50, 50, NAN, 12, 12)
    events = [event(market, 2, 0, "split", Fraction(4)), event(market, 3, 0, "dividend", Fraction(1))]
    assert kinds(market, events) == [(3, "split", 4.0), (3, "dividend", 1.0)]
    events = [event(market, 2, 0, "dividend", Fraction(1)), event(market, 2, 0, "split", Fraction(4))]
    assert kinds(market, events) == [(3, "dividend", 1.0), (3, "split", 4.0)]


def test_what_a_delisting_pays_counts_and_not_the_last_price() -> None:
    """Worthless long after the last price; and a name that comes back under its symbol and stays away again."""
    market = closes(50, 50, *[NAN] * 8)
    worthless = [event(market, 8, 0, "delisting", Fraction(0))]
    assert kinds(market, worthless) == [(8, "delisting", 0.0)]
    assert kinds(market, []) == [(5, "delisting", 50.0)]
    market = closes(50, 50, NAN, NAN, 30, 30, *[NAN] * 4)
    merger = [event(market, 2, 0, "delisting", Fraction(54))]
    assert kinds(market, merger) == [(2, "delisting", 54.0), (9, "delisting", 30.0)]
    market = closes(50, 50, 50, *[NAN] * 4)  # it trades on the day of its delisting, and may be bought there
    assert kinds(market, [event(market, 2, 0, "delisting", Fraction(54))]) == [
        (2, "delisting", 54.0), (6, "delisting", 50.0),
    ]  # fmt: skip


def test_actions_between_the_last_price_and_the_delisting_count_at_it() -> None:
    market = closes(50, 50, *[NAN] * 8)
    events = [
        event(market, 3, 0, "dividend", Fraction(1)), event(market, 4, 0, "split", Fraction(4)),
        event(market, 5, 0, "delisting", Fraction(12)), event(market, 7, 0, "dividend", Fraction(1)),
    ]  # fmt: skip
    assert kinds(market, events) == [(5, "dividend", 1.0), (5, "split", 4.0), (5, "delisting", 12.0)]
    assert without_effect(market, events) == 1
    later = event(market, 9, 0, "dividend", Fraction(1))
    assert without_effect(market, [later._replace(day=date(2030, 1, 2))]) == 0


def test_a_split_that_the_prices_do_not_show_is_refused() -> None:
    market = random_market(8, 1)
    with pytest.raises(BadDocument, match=r"SAA is split 4:1, and its price goes from 94.6243 to 92.8204"):
        align_actions(market, [event(market, 3, 0, "split", Fraction(4))], [], 1.0)


def test_names_that_stay_without_prices() -> None:
    market = random_market(12, 3)
    market.close[2:6, 0] = NAN  # comes back after four days
    market.close[5:, 1] = NAN
    market.close[:6, 2] = NAN  # not yet listed
    assert gone_names(market, 4) == [(6, 0), (9, 1)]
    assert gone_names(market, 5) == [(10, 1)]
    for bar in range(3, 12):  # no look-ahead
        short = market._replace(close=market.close[:bar], day=market.day[:bar])
        assert gone_names(short, 4) == [row for row in [(6, 0), (9, 1)] if row[0] < bar]


def test_a_split_that_is_known_is_not_suspected(tmp_path: Path) -> None:
    path = written(tmp_path, "p.csv", "date,NVDA,KO\n2024-06-07,1200,50\n2024-06-10,120,25\n2024-06-11,121,25\n")
    found = read_prices(path)
    assert found.counts["suspected_splits"] == 2
    known = explained(found, {(date(2024, 6, 10).toordinal(), "NVDA")})
    assert known.counts["suspected_splits"] == 1
    assert known.warnings == (
        f"1 steps look like unadjusted splits, the first KO 2:1 at {path}:3: use adjusted prices, or give the splits "
        "with --actions",
    )
    np.testing.assert_array_equal(known.market.close, found.market.close)
