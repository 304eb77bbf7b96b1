"""`mirror`: copy the journal's file to PostgreSQL, show how far the copy is, compare it, and make it a journal."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError, JournalBroken, JournalLocked, MirrorRefused
from rebalancer.core.units import amount_of
from rebalancer.core.values import time_text

if TYPE_CHECKING:
    from rebalancer.journal.mirror.mark import ChainHead, MirrorMark
    from rebalancer.journal.place import PostgresPlace
    from rebalancer.session.setup import Setup

HEARD_SECONDS: Final = 120.0  # a process that copies says every half minute that it lives


def run_mirror(config: Sequence[Path] | None, *, once: bool, with_parent: bool) -> int:
    """Copy until SIGTERM or SIGINT; with `once` until the mirror has everything. Then 0."""
    from rebalancer.cli.parent import when_parent_ends
    from rebalancer.cli.screen import log_to_stderr
    from rebalancer.ops.notify import Notify
    from rebalancer.session.mirror_process import copy_once, keep_mirror, yield_to_trading
    from rebalancer.session.setup import load_setup
    from rebalancer.session.stop import Stop

    log_to_stderr()
    setup = load_setup(config)
    if once:
        copied = copy_once(setup)
        sys.stderr.write(f"the mirror has every row, up to {copied.secondary.seq:,}\n")
        return ExitCode.DONE
    yield_to_trading()
    ending = threading.Event()
    stop = Stop("mirror", lambda _: ending.set())
    if with_parent:
        when_parent_ends(ending.set)
    notify = Notify.from_environment(os.environ)
    with stop.on_signals():
        sys.stderr.write(f"mirror: {setup.mirror or 'none'} ({setup.mode})\n")
        sys.stderr.flush()
        notify.ready("copying")
        keep_mirror(setup, ending)
    return ExitCode.DONE


def show_mirror(config: Sequence[Path] | None, *, as_json: bool) -> int:
    """How the mirror stands, as the journal, the mirror and the process that copies say now. Exit code 0."""
    from rebalancer.session.setup import load_setup

    document = _document(load_setup(config))
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_in_words(document))
    return ExitCode.DONE


def verify_mirror(config: Sequence[Path] | None, *, as_json: bool) -> int:
    """Compare both sides row by row. Raises JournalBroken naming the first row that differs."""
    from rebalancer.session.mirror_process import verify_once
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    row, newest = verify_once(setup)
    if as_json:
        document = {
            "schema": "rebalancer.mirror-verify/1", "mirror": str(setup.mirror), "row": row, "journal_row": newest,
        }  # fmt: skip
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return ExitCode.DONE
    left = newest - row
    more = f"; {amount_of(left, 'row')} of the journal not copied yet" if left else ""
    sys.stderr.write(f"compared: {amount_of(row, 'row')} the same on both sides, chains intact{more}\n")
    return ExitCode.DONE


def promote_mirror(config: Sequence[Path] | None, *, reason: str, force: bool) -> int:
    """Make the mirror a journal of its own. Raises LockHeld (75) while its host still copies, or anything runs here."""
    from rebalancer.journal.mirror.secondary import Secondary
    from rebalancer.ops.host_identity import host_name
    from rebalancer.ops.mirror_status import LOCK_NAME
    from rebalancer.ops.paths import SESSION_LOCK_NAME
    from rebalancer.ops.run_lock import RunLock
    from rebalancer.session.setup import load_setup

    if not reason.strip():
        sys.stderr.write("error: --reason is empty\n  hint: say why; it is kept in the journal\n")
        return ExitCode.USAGE
    setup = load_setup(config)
    place = _mirror_of(setup)
    head, mark = _at_mirror(place)
    if mark is None:
        raise MirrorRefused(f"{place}: is no mirror\n  hint: rebalancer mirror status")
    with RunLock(setup.state / SESSION_LOCK_NAME, "promote"), RunLock(setup.state / LOCK_NAME, "promote"):
        secondary = Secondary(place)
        try:
            mark = secondary.promote(_now(), host_name(), reason, 0.0 if force else HEARD_SECONDS)
        finally:
            secondary.close()
    level = "never" if mark.level_at is None else f"last at {time_text(mark.level_at)}"
    sys.stderr.write(
        f"promoted: {place} is a journal of its own now, with {amount_of(head.seq, 'row')} of {mark.host}\n"
        f"  it had every row of that journal {level}; what came later is not in it\n"
        "next: set journal.url to this address, leave mirror_url out, then rebalancer run-now\n"
        "  if the account was traded after the last row, that run sends nothing and names the orders;\n"
        "  when nobody else trades it, accept them: rebalancer resume --reason 'why'\n"
    )
    return ExitCode.DONE


def _document(setup: Setup) -> dict[str, Any]:
    """Everything that is known, from three places: the journal, the mirror, and what the process reported."""
    from rebalancer.journal.place import PostgresPlace
    from rebalancer.ops.mirror_status import LOCK_NAME, MirrorStatus, lag_of, read_mirror_status
    from rebalancer.ops.run_lock import holder_of

    now = _now()
    place = setup.mirror
    if place is None and isinstance(setup.journal, PostgresPlace):
        place = setup.journal
    empty = {"schema": "rebalancer.mirror/1", "journal": str(setup.journal), "mirror": None, "state": "off"}
    if place is None:
        return empty
    status = read_mirror_status(setup.state)
    if status is None or status.place != str(place):
        status = MirrorStatus(str(place), time_text(now))
    primary, journal_problem = _at_journal(setup)
    process, problem = holder_of(setup.state / LOCK_NAME), ""
    head, mark = None, None
    try:
        head, mark = _at_mirror(place)
    except JournalBroken as error:
        problem = str(error)
    is_prefix, why = _is_prefix(setup, head, mark)
    if head is not None:
        level = status.level_at or (time_text(mark.level_at) if mark is not None and mark.level_at else None)
        status = status._replace(row=head.seq, hash=head.hash, level_at=level)
    lag = lag_of(status, None if primary is None else primary.seq)
    seconds = lag.seconds(now)
    problems = [one for one in (why, problem, journal_problem, status.difference, status.problem) if one]
    verified = status.verified_row if mark is None else mark.verified_seq
    verified_at = status.verified_at if mark is None or mark.verified_at is None else time_text(mark.verified_at)
    return empty | {
        "mirror": str(place),
        "state": _state(setup, lag.rows, mark, head, status, why=why, away=bool(problem), running=process is not None),
        "host": None if mark is None else mark.host,
        "primary": None if primary is None else {"row": primary.seq, "hash": primary.hash},
        "secondary": None if status.row is None else {"row": status.row, "hash": status.hash, "now": head is not None},
        "lag": {
            "rows": lag.rows,
            "seconds": 0.0 if lag.rows == 0 else None if seconds is None else round(seconds, 3),
            "since": None if lag.since is None else time_text(lag.since),
        },
        "prefix": is_prefix,
        "verified": None if verified is None or not verified_at else {"row": verified, "at": verified_at},
        "level_at": status.level_at,
        "heard_at": None if mark is None else time_text(mark.heard_at),
        "process": process,
        "last_error": {"text": problems[0], "since": status.problem_since} if problems else None,
    }


def _state(
    setup: Setup, rows: int | None, mark: MirrorMark | None, head: ChainHead | None, status: Any, *,
    why: str, away: bool, running: bool,
) -> str:  # fmt: skip
    if setup.mirror is None:
        return "away" if away else "mirror" if mark is not None else "off"
    if why or status.difference or (running and status.kind in ("refused", "failed")):
        return "refused"
    if away:
        return "away"
    if head is not None and mark is None and not head.seq:
        return "new"
    return "level" if rows == 0 else "behind" if running else "stopped"


def _at_journal(setup: Setup) -> tuple[ChainHead | None, str]:
    from rebalancer.journal.mirror.primary import Primary

    if not isinstance(setup.journal, Path):
        return None, ""
    try:
        return Primary(setup.journal).head(), ""
    except ExternalError as error:
        return None, str(error)


def _at_mirror(place: PostgresPlace) -> tuple[ChainHead, MirrorMark | None]:
    """The mirror's newest row and its mark. Raises JournalBroken when it cannot be reached."""
    from rebalancer.journal.mirror.mark import EMPTY, head_in_database, read_mark
    from rebalancer.journal.read_only import has_tables, read_only

    with read_only(place) as ask:
        return (head_in_database(ask), read_mark(ask)) if has_tables(ask) else (EMPTY, None)


def _is_prefix(setup: Setup, head: ChainHead | None, mark: MirrorMark | None) -> tuple[bool | None, str]:
    """Whether the mirror's newest row is a row of the journal, None when that cannot be said; and what is wrong."""
    from rebalancer.journal.mirror.mark import EMPTY
    from rebalancer.journal.mirror.primary import Primary, refuse_other_history

    if head is None or not isinstance(setup.journal, Path):
        return None, ""
    if mark is None and head.seq:
        return None, f"{setup.mirror}: is a journal of its own, and nothing is copied into it"
    try:
        with Primary(setup.journal).reading() as found:
            ask, newest = (None, EMPTY) if found is None else found
            refuse_other_history(ask, newest, head, str(setup.journal), str(setup.mirror))
    except MirrorRefused as error:
        return False, str(error)
    except JournalLocked:
        return None, ""
    except ExternalError:
        return None, ""
    return True, ""


def _mirror_of(setup: Setup) -> PostgresPlace:
    """The mirror that is meant: the configured one, else the database that is configured as the journal."""
    from rebalancer.journal.place import PostgresPlace

    if setup.mirror is not None:
        return setup.mirror
    if isinstance(setup.journal, PostgresPlace):
        return setup.journal
    raise BadDocument("journal.mirror_url", "no mirror is configured", "set it to postgresql://user@host/database")


_WORDS: Final = {
    "off": "there is no mirror: set journal.mirror_url",
    "new": "nothing was copied yet",
    "level": "✔ has every row",
    "behind": "behind, and catching up",
    "stopped": "behind; nobody copies now (a session does, or rebalancer mirror run)",
    "away": "! the database cannot be reached",
    "refused": "! nothing is copied, or it differs",
    "mirror": "this is the mirror of another host's journal; nobody trades on it until `rebalancer mirror promote`",
}


def _in_words(found: dict[str, Any]) -> str:
    lines = [
        f"journal    {found['journal']}",
        f"mirror     {found['mirror'] or '-'}",
        f"state      {_WORDS[found['state']]}",
    ]
    if found["mirror"] is None:
        return "\n".join(lines) + "\n"
    if found["host"]:
        lines.append(f"of         {found['host']}, last heard of at {found['heard_at']}")
    for name in ("primary", "secondary"):
        head = found[name]
        said = "-" if head is None else f"row {head['row']:,}  {head['hash'][:16]}"
        lines.append(f"{name:<10} {said}{'' if head is None or head.get('now', True) else '  (as last seen)'}")
    lag = found["lag"]
    if lag["rows"] is not None:
        since = f", since {lag['since']}" if lag["since"] else ""
        seconds = "" if lag["seconds"] is None else f", {lag['seconds']:,.0f} s"
        lines.append(f"lag        {amount_of(lag['rows'], 'row')}{seconds}{since}")
    checked = found["verified"]
    prefix = {True: "the mirror's newest row is a row of the journal", False: "another history", None: "not known"}
    lines.append(f"history    {prefix[found['prefix']]}")
    lines.append(f"verified   {'never' if checked is None else 'up to row {row:,} at {at}'.format(**checked)}")
    if found["last_error"]:
        lines.append("error      " + found["last_error"]["text"].replace("\n  hint:", "\n           hint:"))
    return "\n".join(lines) + "\n"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - ages are shown by this machine's clock
