"""`arm-live`: what the configuration has behind it, and the token that stands for --live.

Behind a configuration stand backtests in the ledger of trials, shadow books, and days on paper, all with the same
values of the keys that planning reads. Without any of them a reason is asked for. Nothing else here asks for evidence.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.cli.screen import warn
from rebalancer.core.codec import read_rules
from rebalancer.core.documents import BadDocument
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.planning_keys import planning_hash
from rebalancer.core.units import amount_of
from rebalancer.journal import Journal
from rebalancer.journal.place import Place
from rebalancer.journal.read_only import exists
from rebalancer.ops.clock import SystemClock
from rebalancer.session.live import arm, refuse_to_arm
from rebalancer.session.setup import Setup, load_setup

PRACTICE: Final = ("paper", "simulated")  # the modes whose days count, each with its state folder
CYCLES_MOST: Final = 10_000_000


class TrackRecord(NamedTuple):
    """What is behind a configuration. backtests: in the ledger. shadow_days: of shadow books. paper_days: days with
    cycles, by mode. unread: what could not be looked at."""

    config: str
    backtests: int = 0
    shadow_days: int = 0
    paper_days: int = 0
    simulated_days: int = 0
    unread: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing."""
        return not (self.backtests or self.shadow_days or self.paper_days or self.simulated_days)

    @property
    def sentence(self) -> str:
        """In one line."""
        return (
            f"this configuration ({self.config[:12]}) has {amount_of(self.backtests, 'backtest')}, "
            f"{amount_of(self.shadow_days, 'day')} as a shadow book, {amount_of(self.paper_days, 'day')} on paper and "
            f"{self.simulated_days} on the simulated exchange behind it"
        )


def show_arm_live(config: Sequence[Path] | None, last4: str, hours: int, reason: str | None) -> int:
    """Show what is behind the configuration, ask for a reason where there is nothing, and write the token. Raises
    BadDocument without a reason, and as `arm` does."""
    setup = load_setup(config)
    refuse_to_arm(setup, last4, hours)
    found = track_record(setup)
    sys.stderr.write(f"{found.sentence}\n")
    warn(found.unread)
    given = (reason or "").strip()
    if found.is_empty and not given:
        given = _typed()
    if found.is_empty and not given:
        hint = "run a backtest, a shadow book or some days on paper with it first, or say why not: --reason TEXT"
        raise BadDocument("arm-live", "nothing is behind this configuration", hint)
    until = arm(setup, last4, hours, SystemClock().wall(), given)
    sys.stderr.write(f"live trading is armed until {until:%Y-%m-%d %H:%M} UTC, if all other switches are on\n")
    return 0


def _typed() -> str:
    """The reason that a person at the terminal types; "" when there is no terminal."""
    if not sys.stdin.isatty():
        return ""
    sys.stderr.write("Nothing is behind this configuration. Why should it trade real money? ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def track_record(setup: Setup) -> TrackRecord:
    """Look for everything that ran with the same values of the keys that planning reads. What cannot be read counts as
    nothing, and is named."""
    from rebalancer.research.shadow_books import FOLDER, read_book
    from rebalancer.research.trial_ledger import ledger_path, read_trials

    config, unread = planning_hash(setup.rules), list[str]()
    folders = [setup.state.parent / mode for mode in (*PRACTICE, "live")]
    ledgers = {ledger_path(None, folder) for folder in folders}
    backtests = set()
    for path in sorted(ledgers):
        try:
            backtests |= {trial.key.setting for trial in read_trials(path).trials if trial.rules == config}
        except BadDocument as error:
            unread.append(str(error).splitlines()[0])
    books = [read_book(path) for folder in folders for path in sorted((folder / FOLDER).glob("*.json"))]
    days = {mode: practice_days(setup.journal_of(mode, setup.state.parent / mode), config, unread) for mode in PRACTICE}
    return TrackRecord(
        config,
        len(backtests),
        sum(len(book.days) for book in books if book is not None and book.config == config),
        days["paper"],
        days["simulated"],
        tuple(unread),
    )


def practice_days(place: Place, config: str, unread: list[str]) -> int:
    """On how many days a journal has planned cycles with a configuration."""
    known: dict[str, bool] = {}
    found = set()
    try:
        if not exists(place):
            return 0
        with Journal.open(place, create=False) as journal:
            for cycle in journal.cycles(None, CYCLES_MOST):
                if cycle.plan_sha256 is None or cycle.mode not in PRACTICE:
                    continue
                if cycle.rules_sha256 not in known:
                    text = journal.rules_text(cycle.cycle_id, cycle.account_id)
                    known[cycle.rules_sha256] = text is not None and planning_hash(read_rules(text)) == config
                if known[cycle.rules_sha256]:
                    found.add(day_in_new_york(cycle.started_at))
    except Exception as error:  # noqa: BLE001 - a journal of practice that cannot be read must not keep anybody from trading
        unread.append(f"{place}: {(str(error) or type(error).__name__).splitlines()[0]}")
    return len(found)
