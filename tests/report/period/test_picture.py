"""The picture of the README is of today's page, and the command that takes it works."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.report.period.page import edition_html
from tests.browser.devtools import browser_path, start_browser
from tests.browser.picture import HEIGHT, PICTURE, WIDTH, digest, digest_in, size_of, take
from tests.report.period.sample import edition


def test_the_picture_is_of_todays_page() -> None:
    assert digest_in(PICTURE.read_bytes()) == digest(), "pages have changed: python -m tests.browser.picture"


def test_the_picture_is_taken_from_a_page(tmp_path: Path) -> None:
    program = browser_path()
    if program is None:
        pytest.skip("chromium is missing (Debian: apt install chromium)")
    page = tmp_path / "day.html"
    page.write_text(edition_html(edition()), encoding="utf-8")
    with start_browser(program, ("--hide-scrollbars",)) as browser, browser.page() as tab:
        taken = take(tab, page)
    assert (size_of(taken), digest_in(taken)) == ((WIDTH, HEIGHT), digest())
    assert len(taken) > 20_000  # not an empty page
