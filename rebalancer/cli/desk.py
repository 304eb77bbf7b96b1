"""`desk run` and `desk status`: the accounts of this host, each a profile with its own keys, state and reports; and one
account day after day: `session --every-day`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.ops.paths import JOURNAL_NAME, PROFILES, project_root, state_directory
from rebalancer.settings.profile import PROFILE, profile_file

if TYPE_CHECKING:
    from rebalancer.journal.place import Place
    from rebalancer.report.accounts import AccountsOverview
    from rebalancer.report.records import AccountRow
    from rebalancer.session.process_table import KnownProcess

LIST: Final = Path("config", "desk.yaml")
NO_ACCOUNT: Final = "write accounts: [NAME, ...] there, each with its config/profiles/NAME.yaml, or name them"
PAGE: Final = "accounts.html"
PAGE_SECONDS: Final = 60.0
ALERT_SECONDS: Final = 60.0
KEY: Final = "APCA_API_KEY_ID"
MODES: Final = ("simulated", "paper", "live")


def run_accounts(names: Sequence[str], config: Sequence[Path] | None, *, standby: bool) -> int:
    """Run every account's session until SIGTERM or SIGINT; then 0. Raises BadDocument before anything is started when
    an account cannot be run, and LockHeld when this host runs them already."""
    from rebalancer.session.setup import load_setup

    setup, accounts = load_setup(config), known_accounts(names)
    if not accounts:
        raise BadDocument(str(LIST), "lists no account", NO_ACCOUNT)
    refuse_shared_keys(accounts)

    def page(stopped: Callable[[], str | None]) -> None:
        _start(lambda: _keep_page(setup.reports / PAGE, accounts, stopped))

    return keep_going(accounts, config, f"accounts: {', '.join(accounts)}", standby=standby, beside=page)


def run_every_day(config: Sequence[Path] | None, *, standby: bool) -> int:
    """Run the sessions of the account in force, day after day, until SIGTERM or SIGINT; then 0. Raises BadDocument
    before anything is started when its configuration cannot be read, and LockHeld when this host does it already."""
    from rebalancer.session.setup import banner, load_setup, refuse_unasked_exchange
    from rebalancer.settings.live_trading import COMMAND_LINE

    said = COMMAND_LINE.get()
    if said is not None and said.live:
        raise BadDocument(
            "--live", "is for one command, not for every day", "rebalancer arm-live --account LAST4 --hours 168"
        )
    setup = load_setup(config)
    refuse_unasked_exchange(setup)
    name = os.environ.get(PROFILE, "").strip()
    return keep_going((name,), config, f"every day: {setup.mode}, {banner(setup)}", standby=standby)


def keep_going(
    accounts: Sequence[str],
    config: Sequence[Path] | None,
    begun: str,
    *,
    standby: bool,
    beside: Callable[[Callable[[], str | None]], None] = lambda _: None,
) -> int:
    """Keep these accounts' sessions going until SIGTERM or SIGINT; then 0. Raises LockHeld when this host does it
    already. begun: said once nothing stands in the way. beside: started then, with what says why it has to stop."""
    from rebalancer.ops.clock import SystemClock
    from rebalancer.ops.notify import Notify
    from rebalancer.ops.run_lock import RunLock
    from rebalancer.session.account_sessions import AccountSessions
    from rebalancer.session.process_table import LOCK, NAME, write_table
    from rebalancer.session.stop import Stop

    base = state_directory()
    file = base / NAME
    stop, notify, clock = Stop("sessions"), Notify.from_environment(os.environ), SystemClock()
    with RunLock(base / LOCK, "sessions of every day"), stop.on_signals():
        sessions = AccountSessions(
            accounts, clock, stop.bell, config=config or (), standby=standby, say=_say,
            tell=lambda stands: write_table(file, stands), alert=_alert,
        )  # fmt: skip
        beside(stop.reason)
        notify.ready(begun)
        _say("", begun)
        try:
            sessions.run(stop)
        finally:
            file.unlink(missing_ok=True)
    return ExitCode.DONE


def show_accounts(
    names: Sequence[str], page: Path | None, *, as_json: bool, colour: bool, exit_code: bool = False
) -> int:
    """Print the accounts, or write them as a page. Exit code 0, also when one of them needs a person; with exit_code 1
    when the sessions of one of them are not kept going."""
    from rebalancer.cli.export import write_whole
    from rebalancer.cli.health import exit_code_of
    from rebalancer.cli.screen import terminal_width, wants_colour
    from rebalancer.report.accounts import overview_document, overview_page, overview_text

    overview = _overview(known_accounts(names))
    if page is not None:
        write_whole(page, overview_page(overview).encode())
    elif as_json:
        sys.stdout.write(json.dumps(overview_document(overview), indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(overview_text(overview, width=terminal_width(), colour=colour and wants_colour()))
    return exit_code_of([row.name for row in overview.accounts], overview.at) if exit_code else ExitCode.DONE


def known_accounts(names: Sequence[str]) -> tuple[str, ...]:
    """These profiles, or those that config/desk.yaml lists. Raises BadDocument for one that does not exist, and for a
    profile that was chosen for the whole command."""
    if os.environ.get(PROFILE, "").strip():
        raise BadDocument("--profile", "this command is about several", "name them: rebalancer desk status NAME ...")
    root = project_root(Path.cwd()) or Path.cwd()
    found = names or _listed(root / LIST)
    for name in found:
        profile_file(name, root)
    return tuple(dict.fromkeys(found))


def _listed(path: Path) -> Sequence[str]:
    """The accounts in the file; none without one."""
    from rebalancer.settings.document import Listing, Scalar, read_file
    from rebalancer.settings.origin import BadConfiguration, Problem

    if not path.exists():
        return ()
    problems: list[Problem] = []
    entries = {entry.key: entry.value for entry in read_file(path, problems).entries}
    if problems:
        raise BadConfiguration(problems)
    listed = entries.get("accounts")
    names = [item.text for item in listed.items if isinstance(item, Scalar)] if isinstance(listed, Listing) else []
    if not isinstance(listed, Listing) or len(names) != len(listed.items) or entries.keys() != {"accounts"}:
        raise BadDocument(str(path), "is not a list of accounts", "write accounts: [NAME, ...], each a profile")
    return names


def refuse_shared_keys(accounts: Sequence[str]) -> None:
    """Raise BadDocument when two accounts have the same key: it is one account at the broker, with one budget of
    requests. Accounts without a key trade on an embedded exchange of their own."""
    owners: dict[str, str] = {}
    for name in accounts:
        try:
            key = _variables(name).get(KEY)
        except BadDocument:
            continue  # its own session says so and ends; the others are none the worse
        if not key:
            continue
        if key in owners:
            hint = f"give each its own {KEY} and APCA_API_SECRET_KEY: ~/.config/paper-trading@{name}.env, mode 0600"
            raise BadDocument(f"account {name}", f"has the same key as {owners[key]}", hint)
        owners[key] = name


def _variables(name: str) -> Mapping[str, str]:
    from rebalancer.settings.secrets import surroundings

    return surroundings({**os.environ, PROFILE: name}, name)


def _base() -> Path:
    return state_directory()


def _overview(accounts: Sequence[str]) -> AccountsOverview:
    from rebalancer.ops.clock import SystemClock
    from rebalancer.report.accounts import AccountsOverview
    from rebalancer.session.process_table import NAME, read_table

    stands = read_table(_base() / NAME)
    rows = tuple(_row(name, stands.get(name)) for name in accounts)
    return AccountsOverview(socket.gethostname(), SystemClock().wall(), rows)


def _row(name: str, known: KnownProcess | None) -> AccountRow:
    """One account; what cannot be read of it is said in its row and stops no other."""
    from rebalancer.cli.status_of_state import view_at
    from rebalancer.core.errors import ExternalError
    from rebalancer.journal.newest import newest_journal
    from rebalancer.report.records import AccountRow
    from rebalancer.session.process_table import KnownProcess
    from rebalancer.settings.profile import environment_of

    process = known or KnownProcess("off", None, None, None)
    row = AccountRow(
        name=name,
        environment="–",
        process=process.state,
        pid=process.pid,
        exit_code=process.exit_code,
        again_at=process.again_at,
        view=None,
    )
    try:
        row = row._replace(environment=environment_of(_variables(name)).name)
        newest = newest_journal(_journals(name).items())
        if newest is not None:
            row = row._replace(view=view_at(newest[1])._replace(profile=name, environment=row.environment))
    except (BadDocument, ExternalError, OSError, ValueError) as error:
        return row._replace(problem=f"its state cannot be read: {str(error).partition(chr(10))[0]}")
    return row


def _journals(name: str) -> Mapping[str, Place]:
    """The journal of every mode of an account, whether it exists or not. Raises BadDocument."""
    from rebalancer.settings.journal_address import names_database

    folder, environ = _base() / PROFILES / name, {**os.environ, PROFILE: name}
    if not names_database(environ):
        return {mode: folder / mode / JOURNAL_NAME for mode in MODES}
    from rebalancer.session.setup import load_setup

    setup = load_setup(None, environ)
    return {mode: setup.journal_of(mode, folder / mode) for mode in MODES}


def _say(name: str, line: str) -> None:
    """One line of one account's log."""
    sys.stderr.write(f"[{name}] {line}\n" if name else f"{line}\n")
    sys.stderr.flush()


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _alert(name: str, code: int) -> None:
    """Have the alert written to the account's journal and sent, by a process of its own, as a unit's failure is."""
    from rebalancer.session.watchdog import environment_for

    unit = f"paper-trading-session@{name}.service" if name else "paper-trading-session.service"
    words = [sys.executable, "-m", "rebalancer.session.unit_failed", unit]
    monitored = environment_for(None) | {
        "MONITOR_SERVICE_RESULT": "exit-code",
        "MONITOR_EXIT_STATUS": str(code),
        PROFILE: name,
    }

    def work() -> None:
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                words, env=monitored, capture_output=True, text=True, timeout=ALERT_SECONDS, check=False
            )
            _say(name, done.stdout.strip())
        except (OSError, subprocess.TimeoutExpired) as error:
            _say(name, f"the alert was not sent: {error}")

    _start(work)


def _keep_page(path: Path, accounts: Sequence[str], stopped: Callable[[], str | None]) -> None:
    """Write the page of the accounts every minute; trading does not depend on it."""
    from rebalancer.ops.clock import SystemClock
    from rebalancer.ops.files import put_whole
    from rebalancer.report.accounts import overview_page

    clock, due = SystemClock(), 0.0
    while stopped() is None:
        if clock.monotonic() >= due:
            due = clock.monotonic() + PAGE_SECONDS
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                put_whole(path, overview_page(_overview(accounts)).encode())
            except OSError as error:
                _say("", f"the page of the accounts was not written: {error}")
        clock.wait(1.0)
