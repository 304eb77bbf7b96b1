"""The live view at every row of a journal: its figures are those of the raw rows, wherever they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from rebalancer.journal.read_only import ReadOnlyJournal
from rebalancer.ops.run_lock import RunLock
from rebalancer.report.live.document import figures_in, live_document
from rebalancer.report.live.gather import LivePlace, LiveReader
from rebalancer.report.live.page import history_page, live_page, live_parts
from rebalancer.report.live.records import LiveAccount, LiveEquity, LiveState, LiveView
from rebalancer.report.live.screen import live_text
from rebalancer.report.numbers import masked
from tests.web.live_oracle import Oracle
from tests.web.replayed_journal import ReplayedJournal

NOW = datetime(2026, 11, 20, 15, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def source(traded: Path) -> Path:
    return traded / "state" / "rebalancer" / "simulated" / "journal.sqlite"


class Grown:
    """A state folder whose journal grows, and its reader."""

    def __init__(self, source: Path, state: Path) -> None:
        self.oracle = Oracle(source)
        self.journal = ReplayedJournal(source, state / "journal.sqlite")
        self.reader = LiveReader(LivePlace(state, "simulated", state / "journal.sqlite"))

    def at(self, seq: int) -> LiveAccount:
        self.journal.go_to(seq)
        return self.reader.read(NOW)


@pytest.fixture
def grown(source: Path, tmp_path: Path) -> Iterator[Grown]:
    with RunLock(tmp_path / "run.lock", "a cycle"):  # held by this process
        yield Grown(source, tmp_path)


def test_every_figure_at_every_row_is_that_of_the_raw_rows(grown: Grown) -> None:
    compared = 0
    for seq in range(1, grown.journal.last + 1):
        account = grown.at(seq)
        assert account.head.seq == seq
        shown = {figure.id: figure.text for figure in figures_in(account)}
        wanted = grown.oracle.figures(seq)
        assert {name: text for name, text in shown.items() if text != "–" or name in wanted} == wanted, seq
        compared += len(wanted)
    print(f"{grown.journal.last} rows, {compared} figures")
    assert compared > 5000


def test_page_terminal_and_document_show_the_same_figures(grown: Grown) -> None:
    account = grown.at(grown.journal.last)
    view = LiveView((account,), NOW)
    figures = {figure.id: figure for figure in figures_in(account)}
    on_page = re.findall(r'data-figure="([^"]*)">([^<]*)<', live_page(view))
    assert {unescape(name) for name, _ in on_page} == figures.keys()
    assert [(name, text) for name, text in on_page if unescape(text) not in _texts(figures[unescape(name)])] == []
    assert re.findall(r'data-figure="([^"]*)">([^<]*)<', live_parts(view)) == on_page
    terminal = live_text(view, width=None, colour=False)
    quiet = {limit.name for limit in account.limits if limit.is_quiet}
    for figure in figures.values():
        folded = re.match(r"limit\.\w+\[(.*)\]@", figure.id)
        if folded is None or folded[1] not in quiet:
            assert figure.text in terminal, figure.id
    for position in account.positions:
        (line,) = re.findall(rf"^  {position.symbol} .*%.*$", terminal, re.MULTILINE)
        cells = [
            getattr(position, name).text for name in ("qty", "price", "value", "weight", "target", "drift", "band")
        ]
        assert re.split(r"  +", line.strip().replace("!", " "))[1:] == cells
    document = live_document(view)
    assert document["schema"] == "rebalancer.live/1"
    assert document["accounts"][0]["sentence"] == account.sentence
    assert account.sentence in terminal


def _texts(figure: object) -> set[str]:
    return {figure.text, figure.bare}  # type: ignore[attr-defined]  # a Figure


def test_a_running_cycle_is_trading_and_needs_nobody(grown: Grown) -> None:
    account = grown.at(25)  # half of its orders are intended
    assert account.state is LiveState.TRADING
    assert account.needs == ()
    assert account.sentence.startswith("Trading: a cycle runs since 10:0")
    assert "3 of 7 orders filled; nothing needs you." in account.sentence


def test_a_cycle_that_nobody_runs_was_abandoned(source: Path, tmp_path: Path) -> None:
    account = Grown(source, tmp_path).at(25)
    assert account.state is LiveState.UNATTENDED
    assert next(item.title for item in account.needs if item.level == "act").startswith("Abandoned")


def test_the_kill_switch_needs_you(grown: Grown, tmp_path: Path) -> None:
    (tmp_path / "HALT").write_text("a bad feeling\n")
    account = grown.at(grown.journal.last)
    assert account.state is LiveState.HALTED
    assert account.sentence.startswith("Halted: a bad feeling; the last cycle, 10:05 ET, completed")
    assert (account.needs[0].title, account.needs[0].command) == (
        "The kill switch is set", "rebalancer resume --reason 'why'",
    )  # fmt: skip
    assert account.needs[0].text == "A bad feeling. Nothing is sent until you lift it."


def test_before_anything_every_figure_is_a_dash(tmp_path: Path) -> None:
    account = LiveReader(LivePlace(tmp_path, "paper", tmp_path / "journal.sqlite")).read(NOW)
    assert account.state is LiveState.NOTHING_YET
    assert {figure.text for figure in figures_in(account)} == {"–"}
    html = live_page(LiveView((account,), NOW))
    assert "No cycle has run yet; " in html
    assert "$0" not in html


@pytest.mark.parametrize(
    ("minutes", "said"), [(0.05, "Needs readings 10 min apart; these 2 are 3.00 s apart."), (10, None)]
)
def test_values_within_seconds_are_words_and_no_dot(grown: Grown, minutes: float, said: str | None) -> None:
    account = grown.at(grown.journal.last)
    equity = account.equity_today[-1].equity
    values = tuple(LiveEquity(NOW - timedelta(minutes=left), equity, 0, 0) for left in (minutes, 0))
    html = live_page(LiveView((account._replace(equity_today=values),), NOW))
    figure = html[html.index('id="plot-today-0"') :].partition("</figure>")[0]
    assert ("<svg" in figure, re.findall("Needs [^<]*", figure)) == (said is None, [said] if said else [])


def test_the_history_names_no_account_number(source: Path) -> None:
    cycle = ReadOnlyJournal(source).cycles(None, 1)[0]
    said = f"the broker has blocked {cycle.account_id}"
    html = history_page([cycle._replace(because=said)], lambda _: False)
    assert (cycle.account_id in html, f"the broker has blocked {masked(cycle.account_id)}" in html) == (False, True)


def test_accounts_stand_side_by_side_and_are_never_added(grown: Grown, tmp_path: Path) -> None:
    account = grown.at(grown.journal.last)
    other = account._replace(mode="paper", name="second", account_id="••••XYZ")
    html = live_page(LiveView((account, other), NOW))
    assert html.count('data-account="') == 2
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    both = 2 * next(f.figure.value for f in account.figures if f.label == "Equity")
    assert f"{both:,.2f}" not in html
    assert f"{both:,.2f}" not in live_text(LiveView((account, other), NOW), width=None, colour=False)
