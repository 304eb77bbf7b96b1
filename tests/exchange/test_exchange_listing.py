"""The names of the simulated market: those that there are, and a user's own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.exchange.calendar import SessionTable, build_sessions, micros_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.listing_file import read_listing_file
from rebalancer.exchange.market.fund_names import COINS, FUNDS
from rebalancer.exchange.market.listing import Listing, listings, usual_listing
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.market.stock_names import STOCKS
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from rebalancer.signals.sample import NAMES
from tests.exchange.price_paths import daily_digest, nodes_digest

FIRST = json.loads((Path(__file__).parent / "price_paths.json").read_text())
TABLE = SessionTable(build_sessions())
HEADER = "symbol,name,class,sector,price,volatility\n"
OWN = HEADER + "ACME,Acme Works,us_equity,Anvils,41.50,0.35\nVTI,My Market,us_equity,Index Fund,300,0.2\n"


def test_the_first_names_keep_their_rows_and_their_whole_daily_paths() -> None:
    market = Market(7, TABLE)
    found = {s: [daily_digest(market, listings()[s]), nodes_digest(market, listings()[s], 97)] for s in FIRST}
    assert found == {s: [row["daily"], row["sampled"]] for s, row in FIRST.items()}
    assert {s: list(listings()[s]) for s in FIRST} == {s: row["row"] for s, row in FIRST.items()}


@pytest.mark.campaign
@pytest.mark.timeout(1200)
def test_the_first_names_keep_every_node_of_every_session() -> None:
    market = Market(7, TABLE)
    assert {s: nodes_digest(market, listings()[s], 1) for s in FIRST} == {s: r["whole"] for s, r in FIRST.items()}


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(FIRST)),
    sector=st.sampled_from(sorted({row.sector for row in listings().values()})),
    volatility=st.floats(0.01, 3),
)
def test_adding_a_name_changes_no_price_of_another(name: str, sector: str, volatility: float) -> None:
    added = usual_listing("ZZZZ", "Added", sector, 10.0, volatility)
    market = Market(7, TABLE, {**listings(), "ZZZZ": added})
    assert daily_digest(market, added)
    assert daily_digest(market, market.listings[name]) == FIRST[name]["daily"]


def test_what_there_is() -> None:
    rows = listings()
    tables = [line.split("|")[0].strip() for table in (STOCKS, FUNDS, COINS) for line in table.strip().splitlines()]
    assert sorted([*tables, *FIRST]) == sorted(rows)
    assert len(rows) == 303
    assert sorted(s for s, row in rows.items() if row.is_crypto) == [
        "AAVE/USD", "AVAX/USD", "BCH/USD", "BTC/USD", "ETH/USD", "LINK/USD", "LTC/USD", "SOL/USD", "UNI/USD",
        "YFI/USD",
    ]  # fmt: skip
    assert {s: rows[s].sector for s in ("VTI", "AGG", "GLD", "VXUS", "XLE")} == {
        "VTI": "Index Fund",
        "AGG": "Bond Fund",
        "GLD": "Commodity Fund",
        "VXUS": "World Fund",
        "XLE": "Energy",
    }


def test_the_sample_keeps_its_names() -> None:
    assert sorted(NAMES) == sorted(s for s, row in listings().items() if s in FIRST and row.tradable and "/" not in s)


def _open(folder: Path, text: str | None = None, state: str = "state.sqlite") -> Exchange:
    path = folder / "names.csv"
    if text is not None:
        path.write_text(text)
    options = ExchangeOptions(state=folder / state, speed=0, listing=None if text is None else path)
    return open_exchange(options)


def test_a_file_adds_and_replaces_names_and_the_state_remembers_them(tmp_path: Path) -> None:
    first = _open(tmp_path, OWN)
    market = first.market
    assert market.listings["ACME"] == Listing(
        "ACME", "Acme Works", "Anvils", 41.5, 0.35, 0.5, 0.3, 2.6, 1_000_000, "NASDAQ"
    )
    anchor = micros_of(datetime(2026, 11, 19, 21, tzinfo=UTC))
    assert {s: str(market.last(s, anchor)) for s in ("ACME", "VTI", "AAPL")} == {
        "ACME": "41.5",
        "VTI": "300",
        "AAPL": "271.4",
    }
    bought = first.submit({"symbol": "ACME", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"})
    first.clock.advance(1)
    first.close()
    again = _open(tmp_path)
    assert again.books.held("ACME") == 3
    assert again.market.listings == market.listings
    assert str(again.store.order("id", str(bought["id"])).status) == "filled"  # type: ignore[union-attr] # it is there
    again.close()
    more = _open(tmp_path, HEADER + "BOLT,Bolts,us_equity,Anvils,7,0.4\n")
    assert sorted(more.market.listings.keys() - listings().keys()) == ["ACME", "BOLT"]
    more.close()


def test_a_name_whose_prices_were_seen_cannot_change(tmp_path: Path) -> None:
    _open(tmp_path, OWN).close()
    for text, name in ((OWN.replace("41.50", "42"), "ACME"), (HEADER + "KO,Cola,us_equity,Drinks,70,0.2\n", "KO")):
        with pytest.raises(ValueError, match=f"was made with other rows of {name}, and prices that were seen do not"):
            _open(tmp_path, text)
    _open(tmp_path, OWN).close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names.csv:1: has the columns of an empty line"),
        ("symbol,price\nA,1\n", "names.csv:1: has the columns symbol, price"),
        (HEADER, "names.csv: lists no names"),
        (HEADER + "ACME,Acme,us_equity,X,1\n", "names.csv:2: has 5 values, the header has 6"),
        (HEADER + "AC ME,Acme,us_equity,X,1,0.2\n", "names.csv:2: symbol: 'AC ME' is not a symbol"),
        (HEADER + "ACME,Acme,stock,X,1,0.2\n", "names.csv:2: class: 'stock' is no class"),
        (HEADER + "ACME,Acme,crypto,X,1,0.2\n", "names.csv:2: symbol: ACME is not crypto"),
        (HEADER + "ACME,Acme,us_equity,,1,0.2\n", "names.csv:2: sector: is empty or longer than 64 characters"),
        (HEADER + "ACME,Acme,us_equity,X,-1,0.2\n", "names.csv:2: price: -1 is not between 0.05 and 1,000,000"),
        (HEADER + "ACME,Acme,us_equity,X,1,27\n", "names.csv:2: volatility: 27 is not between 0.001 and 3"),
        (HEADER + "ACME,Acme,us_equity,X,nan,0.2\n", "names.csv:2: price: 'nan' is not a number"),
        (HEADER + 2 * "ACME,Acme,us_equity,X,1,0.2\n", "names.csv:3: symbol: ACME is listed twice"),
        (HEADER + '"ACME,Acme\n', "names.csv:2: is not CSV"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(BadDocument) as caught:
        read_listing_file(path)
    assert said in str(caught.value)
    assert not (tmp_path / "state.sqlite").exists()
