"""`db`: back up, check and restore the journal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rebalancer.cli.errors import day_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import JournalBroken
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.units import amount_of
from rebalancer.core.values import time_text

if TYPE_CHECKING:
    from rebalancer.journal.backups import Checked
    from rebalancer.journal.place import Place
    from rebalancer.session.setup import Setup

RECENT_DAYS: Final = 7  # of which nothing is archived: runs, reports and parity look back on them


def back_up(config: Sequence[Path] | None, *, to: Path | None, keep: int, as_json: bool) -> int:
    """Copy the journal, verify the copy, keep the newest copies. A session may run meanwhile."""
    from rebalancer.journal.backups import FOLDER, take
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if not setup.has_journal:
        return _nothing_yet(setup.mode)
    done = take(setup.journal, (to or setup.state / FOLDER).absolute(), _now(), keep)
    if as_json:
        _print_json(
            "backup",
            {
                "file": str(done.path),
                "rows": done.rows,
                "bytes": done.size,
                "removed": [str(path) for path in done.removed],
            },
        )
        return ExitCode.DONE
    sys.stdout.write(f"{done.path}\n")
    gone = f"; {len(done.removed)} older copies removed" if done.removed else ""
    sys.stderr.write(f"copied and verified: {amount_of(done.rows, 'row')}, {done.size / 1e6:,.1f} MB{gone}\n")
    return ExitCode.DONE


def check_file(config: Sequence[Path] | None, file: Path | None, *, as_json: bool) -> int:
    """Verify a whole journal, the one in use or a copy, and describe it. Raises JournalBroken with what is wrong."""
    from rebalancer.journal.archive import is_archive, unpacked
    from rebalancer.journal.backups import check
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if file is None and not setup.has_journal:
        return _nothing_yet(setup.mode)
    path = setup.journal if file is None else file.absolute()
    live = path == setup.journal or (
        isinstance(path, Path) and isinstance(setup.journal, Path) and _is_same(path, setup.journal)
    )
    if isinstance(path, Path) and not live and is_archive(path):
        with unpacked(path) as plain:
            found = check(plain, live=False)._replace(path=path, size=path.stat().st_size)
    else:
        found = check(setup.journal if live else path, live=live)
    if as_json:
        _print_json("check", _as_json(found) | {"in_use": live})
        return ExitCode.DONE
    sys.stdout.write(_in_words(found))
    return ExitCode.DONE


def drill(config: Sequence[Path] | None, *, as_json: bool) -> int:
    """Restore the newest copy into a temporary folder and check it there. Raises JournalBroken with what is wrong, and
    then there is an alert in the journal."""
    from rebalancer.journal import Journal
    from rebalancer.session.restore_drill import restore_drill
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if not setup.has_journal:
        return _nothing_yet(setup.mode)
    with Journal.open(setup.journal, create=False) as journal:
        done = restore_drill(journal, setup.state, _now())
    until = None if done.newest_at is None else time_text(done.newest_at)
    if as_json:
        body = {"file": str(done.file), "rows": done.rows, "newest_at": until, "plans_equal": done.plans}
        _print_json("drill", body)
        return ExitCode.DONE
    sys.stdout.write(f"{done.file}\n")
    rows, plans = amount_of(done.rows, "row"), amount_of(done.plans, "plan")
    sys.stderr.write(f"restored for a try: {rows} intact, {plans} the same again, up to {until}\n")
    return ExitCode.DONE


def archive_until(
    config: Sequence[Path] | None, before: str, target: Path | None, *, remove: bool, as_json: bool
) -> int:
    """Write the journal up to a day to a compressed file, and verify it. remove: then take the documents that it holds
    out of the journal; raises LockHeld (exit 75) while anything runs."""
    from rebalancer.journal import Journal
    from rebalancer.journal.archive import Removed, remove_archived, write_archive
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if not setup.has_journal:
        return _nothing_yet(setup.mode)
    day = day_of("--before", before)
    if day > day_in_new_york(_now()) - timedelta(days=RECENT_DAYS):
        raise BadDocument(
            "--before", f"{day} is less than {RECENT_DAYS} days ago", "the days that runs look back on stay whole"
        )
    path = (target or Path(f"journal-until-{day}.sqlite.gz")).absolute()
    removed: Removed | None = None
    with ExitStack() as stack:
        if remove:
            stack.enter_context(_alone(setup, "db archive"))
        journal = stack.enter_context(Journal.open(setup.journal, create=False))
        done = write_archive(journal, day, path)
        if remove:
            latest = journal.cycles(None, 1)
            removed = remove_archived(journal, done, _now(), latest[0].account_id if latest else "")
            journal.verify()
    if as_json:
        body = {"file": str(done.path), "row": done.row, "hash": done.hash, "rows": done.rows, "bytes": done.size,
                "sha256": done.sha256, "removed": None if removed is None else removed._asdict()}  # fmt: skip
        _print_json("archive", body)
        return ExitCode.DONE
    sys.stdout.write(f"{done.path}\n")
    sys.stderr.write(
        f"archived and verified: {amount_of(done.rows, 'row')}, up to event {done.row:,} ({done.hash[:16]}), "
        f"{done.size / 1e6:,.1f} MB\n"
    )
    if removed is not None:
        sys.stderr.write(
            f"removed from the journal: {amount_of(removed.documents, 'document')}, {removed.bytes / 1e6:,.1f} MB; the "
            f"journal takes {removed.size_after / 1e6:,.1f} MB (before: {removed.size_before / 1e6:,.1f})\n"
            "keep the archive: those cycles cannot be planned again without it\n"
        )
    return ExitCode.DONE


def unpack_archive(file: Path, to: Path) -> int:
    """Make a state folder of an archive, for `--state`. Raises JournalBroken when it is not sound."""
    from rebalancer.journal import Journal
    from rebalancer.journal.archive import unpack
    from rebalancer.ops.paths import JOURNAL_NAME

    folder = to.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / JOURNAL_NAME
    if path.exists():
        raise JournalBroken(f"{path}: already exists\n  hint: name an empty folder")
    try:
        unpack(file, path)
        with Journal.open(path, create=False) as journal:
            rows = journal.verify()
            journal.note_head()
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sys.stdout.write(f"{path}\n")
    sys.stderr.write(f"unpacked and verified: {amount_of(rows, 'row')}\nnext: rebalancer export fills --state {to}\n")
    return ExitCode.DONE


@contextmanager
def _alone(setup: Setup, command: str) -> Iterator[None]:
    """Hold the locks of the state folder. Raises LockHeld while anything runs, also on another host."""
    from rebalancer.ops.paths import LOCK_NAME, SESSION_LOCK_NAME
    from rebalancer.ops.run_lock import RunLock

    with RunLock(setup.state / SESSION_LOCK_NAME, command), RunLock(setup.state / LOCK_NAME, command):
        _refuse_while_another_host_trades(setup)
        yield


def restore_file(config: Sequence[Path] | None, file: Path, *, reason: str) -> int:
    """Replace the journal with a verified copy. Raises LockHeld (exit 75) while anything runs, also on another host
    that shares the database; exit 78 for a copy that
    is not valid, and then nothing has changed."""
    from rebalancer.journal.backups import restore
    from rebalancer.session.setup import load_setup

    if not reason.strip():
        sys.stderr.write("error: --reason is empty\n  hint: say why; it is kept in the journal\n")
        return ExitCode.USAGE
    setup = load_setup(config)
    with _alone(setup, "db restore"):
        try:
            done = restore(file.absolute(), setup.journal, _now(), reason)
        except JournalBroken as error:
            error.add_note("nothing was restored")
            raise
    until = "" if done.newest_at is None else f", up to {done.newest_at:%Y-%m-%d %H:%M:%S} UTC"
    sys.stderr.write(f"restored and verified: {amount_of(done.rows, 'row')}{until}\n")
    for path in done.aside:
        sys.stderr.write(f"kept as it was: {path}\n")
    sys.stderr.write(
        "next: rebalancer run-now\n"
        "  if the account was traded after this copy was made, that run sends nothing and names the orders;\n"
        "  when nobody else trades it, accept them: rebalancer resume --reason 'why'\n"
    )
    return ExitCode.DONE


def _refuse_while_another_host_trades(setup: Setup) -> None:
    from rebalancer.journal.place import PostgresPlace

    if isinstance(setup.journal, PostgresPlace):
        from rebalancer.journal.lease import refuse_while_held
        from rebalancer.ops.host_identity import holder_of_state

        refuse_while_held(setup.journal, holder_of_state(setup.state))


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def copy_between(config: Sequence[Path] | None, source: str, target: str, *, as_json: bool) -> int:
    """Copy a journal into an empty one and compare them row by row. Raises LockHeld (exit 75) while a run, a session or
    another host uses the source, JournalBroken for whatever else is wrong, and then the target holds nothing."""
    from rebalancer.journal.copying import copy_rows
    from rebalancer.journal.opening import open_store
    from rebalancer.journal.place import place_of, schema_name
    from rebalancer.session.setup import load_setup
    from rebalancer.settings.secrets.gather import JOURNAL_PASSWORD

    setup = load_setup(config)
    schema, password = schema_name(setup.mode, setup.profile), setup.environ.get(JOURNAL_PASSWORD, "")
    places = [place_of(text, schema=schema, password=password) for text in (source, target)]
    if isinstance(places[0], Path) and not places[0].exists():
        raise JournalBroken(f"{places[0]}: there is no such file\n  hint: name a journal's file or its address")
    with _at_rest(places[0]), ExitStack() as stack:
        read = open_store(places[0], create=False)
        stack.callback(read.database.close)
        written = open_store(places[1])
        stack.callback(written.database.close)
        rows = copy_rows(read, written, at_rest=True)
    if as_json:
        _print_json("copy", {"from": str(places[0]), "to": str(places[1]), "rows": rows})
        return ExitCode.DONE
    sys.stderr.write(f"copied and compared: {amount_of(rows, 'row')}\n  from {places[0]}\n  to   {places[1]}\n")
    return ExitCode.DONE


@contextmanager
def _at_rest(place: Place) -> Iterator[None]:
    """Keep runs and sessions away from a journal during the block. Raises LockHeld while one of them, or another host,
    uses it: the copy would lack what they go on to write."""
    from rebalancer.journal.lease import refuse_while_held
    from rebalancer.journal.place import PostgresPlace
    from rebalancer.ops.paths import LOCK_NAME, SESSION_LOCK_NAME
    from rebalancer.ops.run_lock import RunLock

    if isinstance(place, PostgresPlace):
        refuse_while_held(place, mine="")
        yield
        return
    with ExitStack() as stack:
        for name in (SESSION_LOCK_NAME, LOCK_NAME):
            lock = place.with_name(name)
            if lock.exists():  # beside a backup there are none, and none is made
                stack.enter_context(RunLock(lock, "db copy"))
        yield


def _in_words(found: Checked) -> str:
    newest = "nothing in it yet"
    if found.newest_at is not None:
        newest = f"row {found.newest_seq:,}, {found.newest_kind}, {found.newest_at:%Y-%m-%d %H:%M:%S} UTC"
    database = "SQLite" if isinstance(found.path, Path) else "PostgreSQL"
    free = "" if found.free is None else f"; {found.free / 1e9:,.1f} GB free beside it"
    return (
        f"{found.path}\n"
        f"  {database:<11} sound\n"
        f"  hash chain  intact, {amount_of(found.rows, 'row')}\n"
        f"  newest      {newest}\n"
        f"  size        {found.size / 1e6:,.1f} MB{free}\n"
    )


def _as_json(found: Checked) -> dict[str, Any]:
    return {
        "file": str(found.path),
        "integrity": "ok",
        "chain": "ok",
        "rows": found.rows,
        "newest": None
        if found.newest_at is None
        else {"row": found.newest_seq, "kind": found.newest_kind, "at": time_text(found.newest_at)},
        "bytes": found.size,
        "bytes_free": found.free,
    }


def _print_json(what: str, body: dict[str, Any]) -> None:
    document = {"schema": f"rebalancer.db-{what}/1", **body}
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _nothing_yet(mode: str) -> int:
    sys.stderr.write(f"error: nothing has been run yet in {mode} mode\n  hint: rebalancer run-now\n")
    return ExitCode.USAGE


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a person's action is dated by this machine's clock
