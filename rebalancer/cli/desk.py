"""`desk run` and `desk status`: the accounts of this host, each a profile with its own keys, state and reports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument, plain
from rebalancer.ops.paths import JOURNAL_NAME, PROFILES, project_root, state_directory
from rebalancer.settings.profile import PROFILE, profile_file

if TYPE_CHECKING:
    from rebalancer.journal.place import Place
    from rebalancer.report.accounts import AccountsOverview
    from rebalancer.report.records import AccountRow
    from rebalancer.session.account_sessions import AccountProcess

LIST: Final = Path("config", "desk.yaml")
NO_ACCOUNT: Final = "write accounts: [NAME, ...] there, each with its config/profiles/NAME.yaml, or name them"
LOCK: Final = "desk.lock"
STATUS: Final = "desk.json"
PAGE: Final = "accounts.html"
PAGE_SECONDS: Final = 60.0
ALERT_SECONDS: Final = 60.0
KEY: Final = "APCA_API_KEY_ID"
MODES: Final = ("simulated", "paper", "live")
_SIZE_MAX: Final = 1024 * 1024


def run_accounts(names: Sequence[str], config: Sequence[Path] | None) -> int:
    """Run every account's session until SIGTERM or SIGINT; then 0. Raises BadDocument before anything is started when
    an account cannot be run, and LockHeld when this host runs them already."""
    from rebalancer.ops.clock import SystemClock
    from rebalancer.ops.notify import Notify
    from rebalancer.ops.run_lock import RunLock
    from rebalancer.session.account_sessions import AccountSessions
    from rebalancer.session.setup import load_setup
    from rebalancer.session.stop import Stop

    setup, accounts = load_setup(config), known_accounts(names)
    if not accounts:
        raise BadDocument(
            "config/profiles", "there is no account", "write config/profiles/NAME.yaml, one file an account"
        )
    refuse_shared_keys(accounts)
    base = _base()
    stop, notify, clock = Stop("sessions"), Notify.from_environment(os.environ), SystemClock()
    with RunLock(base / LOCK, "desk run"), stop.on_signals():
        file = base / STATUS
        sessions = AccountSessions(
            accounts, clock, stop.bell, config=config or (), say=_say,
            tell=lambda stands: _write(file, stands), alert=_alert,
        )  # fmt: skip
        _start(lambda: _keep_page(setup.reports / PAGE, accounts, stop.reason))
        notify.ready(", ".join(accounts))
        _say("", f"accounts: {', '.join(accounts)}")
        try:
            sessions.run(stop)
        finally:
            file.unlink(missing_ok=True)
    return ExitCode.DONE


def show_accounts(names: Sequence[str], page: Path | None, *, as_json: bool, colour: bool) -> int:
    """Print the accounts, or write them as a page. Exit code 0, also when one of them needs a person."""
    from rebalancer.cli.export import write_whole
    from rebalancer.cli.screen import terminal_width, wants_colour
    from rebalancer.report.accounts import overview_document, overview_page, overview_text

    overview = _overview(known_accounts(names))
    if page is not None:
        write_whole(page, overview_page(overview).encode())
    elif as_json:
        sys.stdout.write(json.dumps(overview_document(overview), indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(overview_text(overview, width=terminal_width(), colour=colour and wants_colour()))
    return ExitCode.DONE


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

    stands = _read(_base() / STATUS)
    rows = tuple(_row(name, stands.get(name)) for name in accounts)
    return AccountsOverview(socket.gethostname(), SystemClock().wall(), rows)


def _row(name: str, stands: Mapping[str, object] | None) -> AccountRow:
    """One account; what cannot be read of it is said in its row and stops no other."""
    from rebalancer.cli.status_of_state import view_at
    from rebalancer.core.errors import ExternalError
    from rebalancer.core.values import utc_of
    from rebalancer.journal.newest import newest_journal
    from rebalancer.report.records import AccountRow
    from rebalancer.settings.profile import environment_of

    known = stands or {}
    row = AccountRow(
        name=name,
        environment="–",
        process=str(known.get("state", "off")),
        pid=_whole(known.get("pid")),
        exit_code=_whole(known.get("exit_code")),
        again_at=utc_of(str(known["again_at"])) if known.get("again_at") else None,
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


def _write(file: Path, stands: Sequence[AccountProcess]) -> None:
    """How the processes stand, for `desk status`; nothing depends on it, so errors are ignored."""
    from rebalancer.ops.files import put_whole

    text = json.dumps({"schema": "rebalancer.desk-processes/1", "pid": os.getpid(), "accounts": plain(tuple(stands))})
    with suppress(OSError):
        put_whole(file, f"{text}\n".encode())


def _read(file: Path) -> dict[str, Mapping[str, object]]:
    """The processes by account; nothing when no desk runs."""
    from rebalancer.core.input_file import read_json_file
    from rebalancer.ops.run_lock import is_running

    try:
        document = read_json_file(file, _SIZE_MAX)
        alive = is_running(int(document["pid"]))
        return {str(row["name"]): row for row in document["accounts"]} if alive else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _say(name: str, line: str) -> None:
    """One line of one account's log."""
    sys.stderr.write(f"[{name}] {line}\n" if name else f"{line}\n")
    sys.stderr.flush()


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _alert(name: str, code: int) -> None:
    """Have the alert written to the account's journal and sent, by a process of its own, as a unit's failure is."""
    from rebalancer.session.account_sessions import NOT_FOR_CHILDREN

    environ = {key: value for key, value in os.environ.items() if key not in NOT_FOR_CHILDREN}
    unit = f"paper-trading-session@{name}.service"
    words = [sys.executable, "-m", "rebalancer.session.unit_failed", unit]
    monitored = environ | {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": str(code), PROFILE: name}

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
