"""Published hours: from the table of holidays where that was compared with the calendar library, else from the library
itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version

import pytest

from rebalancer.core.holidays import CLOSED, COMPARED_WITH
from rebalancer.market_data import trading_calendar
from rebalancer.market_data.trading_calendar import published_hours

ASKED = """\
import sys
from datetime import date
from rebalancer.market_data.trading_calendar import published_hours
first, last = (date.fromisoformat(word) for word in sys.argv[1:])
print(len(published_hours(first, last)), "pandas_market_calendars" in sys.modules)
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    trading_calendar._published_year.cache_clear()
    yield
    trading_calendar._published_year.cache_clear()


def test_the_library_in_use_is_the_one_that_the_table_was_compared_with() -> None:
    found = version("pandas-market-calendars")
    assert found == COMPARED_WITH, "compare the table with this edition (the tests below do), then name it there"


def test_every_year_of_the_table_is_what_the_library_says() -> None:
    first, last = date(min(CLOSED), 1, 1), date(max(CLOSED), 12, 31)
    of_years = [hours for year in CLOSED for hours in published_hours(date(year, 1, 1), date(year, 12, 31))]
    assert of_years == list(published_hours(first, last))  # so many years at once are asked of the library
    assert len(of_years) == 3769


@pytest.mark.parametrize(
    ("span", "said"),
    [(("2026-11-20", "2027-01-05"), "30 False"), (("2033-01-01", "2033-01-31"), "20 True")],
)
def test_the_library_is_loaded_for_years_outside_the_table_alone(span: tuple[str, str], said: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASKED, *span], capture_output=True, text=True, check=True
    )
    assert asked.stdout.split() == said.split()


def test_another_edition_of_the_library_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(trading_calendar, "version", lambda _: "99.0")
    monkeypatch.setattr(trading_calendar, "_published", lambda first, last: told.append((first, last)) or ())
    assert published_hours(date(2026, 11, 20), date(2026, 11, 27)) == ()
    assert told == [(date(2026, 1, 1), date(2026, 12, 31))]
