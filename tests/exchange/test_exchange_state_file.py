"""The state file: nobody else may read it, and a damaged one is refused at start and left as it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.exchange.damage import check_state
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import StateRefused, open_exchange
from rebalancer.exchange.store import Store

OPTIONS = ExchangeOptions(speed=0, partial_fill_probability=0, corporate_actions="simulated")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with orders, fills, a locate and a watchlist, in one file."""
    path = tmp_path_factory.mktemp("lived") / "state.sqlite"
    exchange = open_exchange(OPTIONS._replace(state=path))
    for symbol in ("KO", "AAPL", "MSFT"):
        for _ in range(40):
            exchange.submit({"symbol": symbol, "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"})
    exchange.clock.advance(5)
    exchange.submit(
        {"symbol": "KO", "side": "buy", "type": "limit", "limit_price": "9", "time_in_force": "gtc", "qty": "1"}
    )
    exchange.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in sorted(folder.iterdir())}


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        exchange = open_exchange(OPTIONS._replace(state=tmp_path / "state.sqlite"))
        assert modes(tmp_path) == {
            "state.sqlite": "0o600", "state.sqlite-shm": "0o600", "state.sqlite-wal": "0o600",
        }  # fmt: skip
        exchange.close()
        (tmp_path / "state.sqlite").chmod(0o644)  # as earlier versions made it
        exchange = open_exchange(OPTIONS._replace(state=tmp_path / "state.sqlite"))
        assert set(modes(tmp_path).values()) == {"0o600"}
        exchange.close()
    finally:
        os.umask(before)


def changed(statement: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(statement)
        db.close()

    return damage


def torn(path: Path) -> None:
    """A page in the middle is lost."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4096 // 2 * 4096)
        file.write(bytes(4096))


def short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def headless(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x" * 100)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a page is lost": (torn, ""),
    "half of it is lost": (short, ""),
    "its head is lost": (headless, "cannot be opened as an exchange state file"),
    "an order": (changed("UPDATE orders SET body = substr(body, 2) WHERE seq = 7"), "row 7 of orders is no document"),
    "an activity": (changed("UPDATE activity SET body = 'x' WHERE seq = 3"), "row 3 of activity is no document"),
    "an event": (changed("UPDATE trade_event SET body = '{' WHERE seq = 9"), "row 9 of trade_event is no document"),
    "a posting": (
        changed("UPDATE posting SET amount = '1' WHERE rowid = (SELECT max(rowid) FROM posting)"),
        "is not the sum of its postings",
    ),
    "a balance": (
        changed("UPDATE balance SET amount = '1e6' WHERE account = 'cash'"),
        "the balance of cash in USD is not the sum of its postings",
    ),
    "a cost": (changed("DELETE FROM basis WHERE symbol = 'KO'"), "positions and their costs differ: KO"),
    "a cost that is no number": (
        changed("UPDATE basis SET cost = '1x' WHERE symbol = 'KO'"),
        "cannot be read: InvalidOperation",
    ),
    "a day's cost without end": (
        changed("UPDATE basis SET day_cost = 'Infinity' WHERE symbol = 'KO'"),
        "the cost of KO is no amount",
    ),
    "a balance that is no number": (
        changed("UPDATE balance SET amount = 'x' WHERE account = 'cash'"),
        "cannot be read: InvalidOperation",
    ),
    "a balance that is not a number": (
        changed("UPDATE balance SET amount = 'NaN' WHERE account = 'cash'"),
        "the balance of cash in USD is not the sum of its postings",
    ),
    "a balance that signals": (
        changed("UPDATE balance SET amount = 'sNaN' WHERE account = 'cash'"),
        "cannot be read: ValueError",
    ),
    "a session": (changed("UPDATE session SET opens = 1 << 62 WHERE day = 739575"), "session 739575 is not within"),
    "an order's price": (
        changed("UPDATE orders SET body = json_set(body, '$.limit_price', 'x') WHERE is_open = 1"),
        "cannot be read",
    ),
    "the clock": (changed("UPDATE meta SET value = 'noon' WHERE key = 'clock'"), "its clock is no number"),
    "the clock's year": (
        changed("UPDATE meta SET value = '7' WHERE key IN ('clock', 'caught_up')"),
        "cannot go on: 1970",
    ),
    "the clock's length": (
        changed("UPDATE meta SET value = value || value WHERE key = 'clock'"),
        "its clock is no number",
    ),
    "an order's row": (
        changed("UPDATE orders SET symbol = 'AAPL' WHERE seq = 7"),
        "row 7 of orders: its document is of another order",
    ),
    "an activity's price": (
        changed("UPDATE activity SET body = json_set(body, '$.price', 'x') WHERE seq = 5"),
        "row 5 of activity: its quantity or price is none",
    ),
    "an activity's time": (
        changed("UPDATE activity SET at = 1 << 62 WHERE seq = 5"),
        "row 5 of activity: its time is none",
    ),
    "a list for a document": (
        changed("UPDATE trade_event SET body = '[]' WHERE seq = 9"),
        "row 9 of trade_event is no document",
    ),
    "a day's equity": (changed("UPDATE day_equity SET equity = char(0)"), "it has no amounts of a day"),
    "the seed": (changed("DELETE FROM meta WHERE key = 'seed'"), "its seed is no number"),
    "the sessions": (changed("DELETE FROM session"), "it has no sessions"),
    "a table": (changed("DROP TABLE balance"), "cannot be read: OperationalError: no such table: balance"),
    "the switches": (changed("INSERT INTO meta VALUES ('configuration', '[7]')"), "is damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_state_is_refused_and_left_as_it_is(lived: Path, tmp_path: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    path = tmp_path / "state.sqlite"
    shutil.copy(lived, path)
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StateRefused) as caught:
        open_exchange(OPTIONS._replace(state=path))
    assert caught.value.where == str(path)
    assert words in caught.value.problem
    assert path.read_bytes() == before


def test_a_whole_state_goes_on(lived: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    shutil.copy(lived, path)
    exchange = open_exchange(OPTIONS._replace(state=path))
    assert (len(exchange.orders), exchange.books.held("KO")) == (1, 40)
    exchange.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_overwritten_it_starts_or_is_refused(lived: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Never another error, and never a new account in the place of the old one."""
    path = tmp_path / "state.sqlite"
    for beside in tmp_path.iterdir():
        beside.unlink()
    shutil.copy(lived, path)
    size = path.stat().st_size
    at = data.draw(st.integers(0, size - 1))
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data.draw(st.binary(min_size=1, max_size=min(5000, size - at))))
    try:
        exchange = open_exchange(OPTIONS._replace(state=path))
    except StateRefused:
        return
    assert exchange.store.last_order_seq() == 121
    exchange.close()


def test_the_command_says_where_and_what_to_do(lived: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    shutil.copy(lived, path)
    torn(path)
    command = [sys.executable, "-m", "rebalancer", "exchange", "serve", "--port", "0", "--state", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (78, "")
    assert lines[0].startswith(f"error: {path}: is damaged: ")
    assert lines[1].strip().startswith("hint: put back a copy of the file")


def test_only_a_state_that_may_have_changed_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(store: Store) -> None:
        looked.append(store.where)
        check_state(store)

    monkeypatch.setattr("rebalancer.exchange.assembly.check_state", look)
    path = tmp_path / "state.sqlite"
    options = OPTIONS._replace(state=path)
    order = {"symbol": "KO", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}

    exchange = open_exchange(options)
    exchange.submit(order)
    exchange.close()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / "state.sqlite.sha256").read_text() == f"{digest}  state.sqlite\n"

    exchange = open_exchange(options)
    assert looked == []  # not one byte has changed since the orderly end
    exchange.submit(order)
    copy = tmp_path / "killed"
    shutil.copytree(tmp_path, copy, ignore=shutil.ignore_patterns("killed"))  # what a kill would leave
    exchange.close()

    exchange = open_exchange(options._replace(state=copy / path.name))
    assert looked == [str(copy / path.name)]
    exchange.close()

    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = '8' WHERE key = 'seed'")
    db.close()
    exchange = open_exchange(options)
    assert looked[1:] == [str(path)]
    exchange.close()
    (tmp_path / "state.sqlite.sha256").unlink()
    exchange = open_exchange(options)
    assert looked[2:] == [str(path)]
    exchange.close()
