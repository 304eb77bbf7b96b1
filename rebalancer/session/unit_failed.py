"""What the alert unit runs when systemd reports that one of our units has failed: `python -m
rebalancer.session.unit_failed UNIT`. The failure is written to the journal of the account that the unit works on, as an
alert that needs a person, and to the system's log with a high priority. It must work when nothing else does, so every
step may fail independently."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.core.errors import ExternalError
from rebalancer.journal.newest import newest_journal
from rebalancer.journal.place import Place
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.paths import JOURNAL_NAME, state_directory
from rebalancer.settings.journal_address import names_database
from rebalancer.settings.profile import PROFILE

if TYPE_CHECKING:
    from rebalancer.session.setup import Setup

MODES: Final = ("simulated", "paper", "live")

DELIVER_SECONDS: Final = 40.0  # the unit itself has one minute
BESIDE: Final = ("rebalancer-web", "rebalancer-sources")  # the HTTP API and the signal sources, which trade nothing
PRIORITY: Final = "<2>"  # critical, in the words of syslog


def sentence(unit: str, environ: Mapping[str, str]) -> str:
    """What happened, as far as systemd reports it."""
    result, status = environ.get("MONITOR_SERVICE_RESULT", ""), environ.get("MONITOR_EXIT_STATUS", "")
    details = ", ".join(part for part in (result, f"status {status}" if status else "") if part)
    meaning = "nothing is traded until it runs again" if trades(unit) else "trading does not depend on it"
    return f"{unit} has failed{f' ({details})' if details else ''}; {meaning}"


def trades(unit: str) -> bool:
    """Whether trading depends on a unit."""
    return not unit.startswith(BESIDE)


def write_alert(folder: Path, unit: str, text: str) -> bool:
    """Record the alert in the journal that was written last; False when there is none that knows an account."""
    from rebalancer.journal import Journal
    from rebalancer.journal.alert_row import alert_row

    there = _newest_journal(folder)
    if there is None:
        return False
    with Journal.open(there[1], create=False) as journal:
        latest = journal.latest_events(1)
        if not latest:
            return False
        row = alert_row("unit_failed", "action", "unit_failed", text, trades=trades(unit))
        journal.record_event(latest[0].account_id, None, SystemClock().wall(), *row)
    return True


def main() -> int:
    """Write the alert; the exit code says whether it was recorded in a journal."""
    unit = sys.argv[1] if len(sys.argv) > 1 else "a unit"
    text = sentence(unit, os.environ)
    sys.stdout.write(f"{PRIORITY}{text}\n")
    folder = _state_of(unit)
    try:
        written = write_alert(folder, unit, text)
    except ExternalError as error:
        sys.stdout.write(f"{PRIORITY}the alert could not be written to the journal: {error}\n")
        beat(folder, text)
        return 1
    try:
        tell(folder, text)
    except ExternalError as error:
        sys.stdout.write(f"{PRIORITY}the alert waits for the next session: {error}\n")
    return 0 if written else 1


def beat(folder: Path, text: str) -> None:
    """Notify the heartbeat alone: it needs no journal, as when the database is what has failed."""
    from rebalancer.alerts import configured

    try:
        setup = _setup(folder)
        heartbeat = configured(setup.rules.alerts, setup.environ).heartbeat
        if heartbeat is not None:
            heartbeat.beat(text)
    except Exception as error:  # noqa: BLE001 - whatever it is, the exit code already says that nobody was told
        sys.stdout.write(f"{PRIORITY}the heartbeat was not notified: {type(error).__name__}\n")


def tell(folder: Path, text: str) -> None:
    """Deliver what is waiting in the journal that was written last, and notify the heartbeat; what is not sent in time
    is delivered by the next session."""
    from rebalancer.journal import Journal
    from rebalancer.session.alert_delivery import deliver_now

    setup, there = _setup(folder), _newest_journal(folder)
    if there is None:
        return
    mode, journal = there
    with Journal.open(journal, create=False) as kept:
        latest = kept.latest_events(1)
    is_configured = journal == setup.journal_of(mode, folder / mode)
    at = setup._replace(mode=mode, state=folder / mode) if is_configured else setup.with_file(mode, folder / mode)
    deliver_now(at, latest[0].account_id, seconds=DELIVER_SECONDS, failure=text)


def _setup(folder: Path) -> Setup:
    """The configured setup; with the built-in rules when it cannot be read."""
    from rebalancer.core.documents import BadDocument
    from rebalancer.core.rules import Rules
    from rebalancer.session.setup import Setup, load_setup
    from rebalancer.settings.load import LoadedRules

    try:
        return load_setup(None)
    except (BadDocument, ExternalError) as error:
        sys.stdout.write(f"{PRIORITY}alerts are sent by the built-in rules: {str(error).partition(chr(10))[0]}\n")
        return Setup(Path.cwd(), LoadedRules(Rules(), {}, ()), "paper", folder / "paper", _variables())


def _variables() -> Mapping[str, str]:
    """The variables with the secrets, as far as they can be read: the failure may be due to the rules alone."""
    from rebalancer.core.documents import BadDocument
    from rebalancer.settings.secrets import surroundings

    try:
        return surroundings(os.environ, os.environ.get(PROFILE, ""))
    except BadDocument:
        return os.environ


def _newest_journal(folder: Path) -> tuple[str, Place] | None:
    """The mode and the journal of a state folder that was written last. With a configuration that cannot be read it is
    that of the files alone."""
    from rebalancer.core.documents import BadDocument
    from rebalancer.session.setup import load_setup

    try:
        setup = load_setup(None) if names_database(os.environ) else None
    except (BadDocument, ExternalError):
        setup = None
    places: list[tuple[str, Place]] = [
        (mode, folder / mode / JOURNAL_NAME if setup is None else setup.journal_of(mode, folder / mode))
        for mode in MODES
    ]
    return newest_journal(places)


def _state_of(unit: str) -> Path:
    """The state folder of the unit; from here on its profile, if any, is in effect: rules, env file, channels."""
    profile = unit.partition("@")[2].removesuffix(".service")
    if profile:
        os.environ[PROFILE] = profile
    else:
        os.environ.pop(PROFILE, None)
    return state_directory()


if __name__ == "__main__":
    raise SystemExit(main())
