"""The risk of the day's book: from closed books and the stored closes, and on the page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from rebalancer.accounting.day_books import DayBooks, Holding, body_of_day
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import Journal
from rebalancer.market_data.reference import REFERENCE_SCHEMA
from rebalancer.market_data.stored_closes import REFERENCE_FILE
from rebalancer.performance.risk.factors import NO_SIZES, Bet, unknown_bets
from rebalancer.performance.risk.pairs import CorrelatedPair
from rebalancer.report.period.book_risk import Risk
from rebalancer.report.period.document import edition_json
from rebalancer.report.period.page import edition_html, redacted
from rebalancer.report.period.parts.risk import ESTIMATOR, risk
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import PeriodReport
from tests.report.html_tree import parse
from tests.report.period.sample import edition

DAY = date(2026, 11, 20)  # a Friday
EVENING = datetime(2026, 11, 20, 21, 5, tzinfo=UTC)
ACCOUNT = "PA3ABCDEF7Q2"
WEEKDAYS = [d for d in (DAY - timedelta(days=i) for i in range(400, 0, -1)) if d.weekday() < 5]
D = Decimal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


def close_books(journal: Journal, held: Mapping[str, tuple[int, int]], equity: str = "100000") -> None:
    """Closed books of the day: shares and price by name; a price of 0 is none."""
    books = DayBooks(
        DAY, EVENING, EVENING, D(equity), D(equity), ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, None, ZERO,
        0, {name: Holding(D(qty), D(1)) for name, (qty, _) in held.items()}, (), (),
        {name: D(price) for name, (_, price) in held.items() if price}, {},
    )  # fmt: skip
    journal.record_event(ACCOUNT, None, EVENING, "day_closed", DAY.isoformat(), body_of_day(books))


def course(*steps: float, days: int = 130) -> list[float]:
    """Closes whose daily returns are these steps, over and over."""
    return [float(c) for c in 100 * np.cumprod([1.0, *(1 + steps[i % len(steps)] for i in range(days - 1))])]


def store(journal: Journal, rows: Mapping[str, Sequence[float]], benchmark: Sequence[float] = ()) -> None:
    """A day sheet that ends with the day before; a shorter row is a younger name."""
    days = [d.isoformat() for d in WEEKDAYS[-130:]]
    beside = {"days": days[len(days) - len(benchmark) :], "closes": {"SPY": benchmark}} if benchmark else None
    closes = {name: [*[None] * (130 - len(row)), *row] for name, row in rows.items()}
    sheet = {"schema": REFERENCE_SCHEMA, "days": days, "closes": closes, "benchmark": beside}
    (journal.state / REFERENCE_FILE).write_text(json.dumps(sheet))


def of(journal: Journal, day: date = DAY) -> Risk | None:
    source = Source(journal, ACCOUNT, Rules(), "day", day, EVENING)
    found = risk(source)
    assert source.broken == []
    return found


def test_the_whole_of_a_book(journal: Journal) -> None:
    up = (0.02, -0.02, 0.01, -0.01)
    close_books(journal, {"LONG": (300, 100), "SHORT": (-200, 100), "YOUNG": (500, 100), "DARK": (7, 0)})
    store(
        journal,
        {"LONG": course(*up), "SHORT": course(*(2 * u for u in up)), "YOUNG": course(*up, days=40)},
        course(*(u / 2 for u in up)),
    )
    found = of(journal)
    assert found is not None
    net = -0.1  # 0.3 of LONG less 0.2 of SHORT, which moves twice as much
    deviation = math.sqrt(2 * 30 * (0.02**2 + 0.01**2) / 119)  # 120 returns, their mean is zero
    assert found == Risk(
        names=3, net=pytest.approx(0.6), gross=pytest.approx(1.0), largest="YOUNG", largest_share=0.5, top_five=1.0,
        hhi=pytest.approx(0.25 + 0.09 + 0.04), effective=pytest.approx(1 / 0.38),
        volatility=pytest.approx(-net * deviation * math.sqrt(252)), estimator=ESTIMATOR,
        pairs=(CorrelatedPair("LONG", "SHORT", pytest.approx(1.0), True),),
        benchmark="SPY", beta=pytest.approx(2 * net), beta_days=120,
        days=120, first=WEEKDAYS[-120], last=WEEKDAYS[-1], covered=pytest.approx(0.5), left_out=("YOUNG",),
        correlated=("LONG", "SHORT"), correlations=((1.0,), (pytest.approx(1.0), 1.0)), unpriced=("DARK",),
        bets=(
            Bet("market", "", pytest.approx(2 * net), pytest.approx(0, abs=1e-9), 120),
            Bet("momentum", days=0, because="needs 9 names, has 0"),
            Bet("low_volatility", days=0, because="needs 9 names, has 0"),
            Bet("size", because=NO_SIZES),
        ),
    )  # fmt: skip


def test_forty_returns_are_enough(journal: Journal) -> None:
    close_books(journal, {"A": (1, 100)})
    store(journal, {"A": course(0.01, -0.01, days=41)})
    found = of(journal)
    assert found is not None
    assert (found.days, found.left_out, found.benchmark, found.beta) == (40, (), "", None)
    store(journal, {"A": course(0.01, -0.01, days=40)})
    assert of(journal) == found._replace(
        volatility=None, estimator="", days=0, first=None, last=None, covered=None, left_out=("A",),
        correlated=(), correlations=(),
        bets=unknown_bets("no holding has 40 daily returns up to this day"),
        because="no holding has 40 daily returns up to this day",
    )  # fmt: skip


def test_a_benchmark_that_is_held(journal: Journal) -> None:
    close_books(journal, {"SPY": (500, 100)})
    store(journal, {}, course(0.01, -0.02))
    found = of(journal)
    assert found is not None
    assert (found.beta, found.beta_days, found.pairs) == (pytest.approx(0.5), 120, ())
    store(journal, {"SPY": course(0.01, -0.02)})  # traded, so it is among the names
    assert of(journal) == found


def test_an_unknown_benchmark_says_so(journal: Journal) -> None:
    close_books(journal, {"A": (500, 100)})
    store(journal, {"A": course(0.01, -0.02)})
    found = of(journal)
    assert found is not None
    assert {bet.because for bet in found.bets} == {"no closes of a benchmark are known", NO_SIZES}


def test_a_young_benchmark_says_no_beta(journal: Journal) -> None:
    close_books(journal, {"A": (500, 100)})
    store(journal, {"A": course(0.01, -0.02)}, course(0.01, -0.02, days=30))
    found = of(journal)
    assert found is not None
    assert (found.days, found.beta, found.beta_days) == (120, None, 0)


def test_closes_after_the_day_do_not_count(journal: Journal) -> None:
    close_books(journal, {"A": (1, 100)})
    days = [d.isoformat() for d in WEEKDAYS[-60:]] + ["2026-11-23", "2026-11-24"]
    sheet = {"schema": REFERENCE_SCHEMA, "days": days, "closes": {"A": [*course(0.01, -0.01, days=60), 900.0, 1.0]}}
    (journal.state / REFERENCE_FILE).write_text(json.dumps(sheet))
    found = of(journal)
    assert found is not None
    assert (found.days, found.last) == (59, WEEKDAYS[-1])
    assert found.volatility is not None
    assert found.volatility < 0.01


@pytest.mark.parametrize(
    ("held", "equity", "because"),
    [
        ({}, "100000", "nothing is held"),
        ({"A": (1, 0)}, "100000", "no holding has a price"),
        ({"A": (1, 100)}, "-5", "the equity is not above zero"),
        ({"A": (1, 100)}, "100000", "no closes of the holdings are stored up to this day"),
    ],
)
def test_not_known_and_why(journal: Journal, held: dict[str, tuple[int, int]], equity: str, because: str) -> None:
    close_books(journal, held, equity)
    found = of(journal)
    assert found is not None
    assert (found.volatility, found.days, found.because) == (None, 0, because)
    assert block(edition(risk=found)).count("not known") == 1
    assert because in block(edition(risk=found))
    assert found.bets == (unknown_bets(because) if "closes" in because else ())


def test_a_sheet_that_cannot_be_read_is_none(journal: Journal) -> None:
    close_books(journal, {"A": (1, 100), "B": (1, 100)})
    bad_day = json.dumps({"schema": REFERENCE_SCHEMA, "days": ["x"], "closes": {"A": [1.0]}})
    for text in ("{", "[]", '{"schema": 1}', bad_day):
        (journal.state / REFERENCE_FILE).write_text(text)
        found = of(journal)
        assert found is not None
        assert found.because == "no closes of the holdings are stored up to this day"


def test_a_day_that_nobody_read_has_none(journal: Journal) -> None:
    close_books(journal, {"A": (1, 100)})
    assert of(journal, DAY - timedelta(days=1)) is None


def block(shown: PeriodReport) -> str:
    (section,) = [s for s in parse(edition_html(shown)).all("section") if s.attributes["id"] == "limits"]
    return section.text


def test_the_page_and_the_json_have_it() -> None:
    whole = edition()
    shown = block(whole)
    assert "Volatility15.3 %of equity, a year: 120 daily returns to 2026-11-19, sample deviation × √252" in shown
    assert "cover 97.1 % of gross. Too few closes: ARM, RDDT." in shown
    assert "held on opposite sides" in shown
    assert "Market (SPY)+0.930.04118alone" in shown
    assert "Sector Technology+0.410.06118the mean of its names less the market" in shown
    assert "Low volatility––31needs 40 days, has 31" in shown
    assert "Size––0no data: trading volumes are not stored" in shown
    figures = json.loads(edition_json(redacted(whole)))["figures"]
    assert figures["bets.momentum@2026-11-20"] == {"value": 0.2218, "unit": "", "text": "+0.22"}
    assert figures["bets.sector[Technology].error@2026-11-20"]["text"] == "0.06"
    assert figures["bets.low_volatility@2026-11-20"]["value"] is None
    document = json.loads(edition_json(redacted(whole)))["risk"]
    assert document["bets"][0] == {
        "kind": "market", "name": "", "beta": 0.9312, "error": 0.0411, "days": 118, "because": "",
    }  # fmt: skip
    assert document["pairs"][2] == {"first": "CVX", "second": "XOM", "correlation": 0.7105, "opposite": True}
    assert (document["volatility"], document["days"], document["last"]) == (0.1534, 120, "2026-11-19")


def test_an_old_day_without_it_still_has_its_limits() -> None:
    old = edition(risk=None)
    assert "Risk of the book" not in block(old)
    assert "Each limit, before and after the plan" in block(old)
    assert json.loads(edition_json(redacted(old)))["risk"] is None
