from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journal_kit import run_cycle

from rebalancer.journal import Journal
from rebalancer.journal.place import Place, PostgresPlace
from tests.support.postgres import shared_cluster

EMPTY = "rebalancer_empty"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated journal without rows: migrating anew for every test would be most of their time."""
    path = tmp_path_factory.mktemp("empty") / "journal.sqlite"
    Journal.open(path).close()
    return path.read_bytes()


@pytest.fixture(scope="session")
def empty_database() -> str:
    """The address of a database whose template is a migrated journal without rows."""
    cluster = shared_cluster()
    url = cluster.database("journals")
    Journal.open(PostgresPlace(url, EMPTY)).close()
    return url


@pytest.fixture
def path(tmp_path: Path, empty_file: bytes) -> Path:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(empty_file)
    return path


@pytest.fixture
def new_place(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], PostgresPlace]:
    """Make a schema with an empty journal, as often as it is called; it is dropped when the test has ended."""
    url = request.getfixturevalue("empty_database")

    def make() -> PostgresPlace:
        name = f"rebalancer_t{next(NUMBERS)}"
        with shared_cluster().connect("journals") as connection:
            connection.execute(shared_cluster().clone_of("journals", EMPTY, name))
        request.addfinalizer(lambda: drop(name))
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        return PostgresPlace(url, name, folder)

    def drop(name: str) -> None:
        with shared_cluster().connect("journals") as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    """An empty journal, in a file and in PostgreSQL: what takes this runs on both."""
    if request.param == "sqlite":
        found: Place = request.getfixturevalue("path")
        return found
    made: Place = request.getfixturevalue("new_place")()
    return made


@pytest.fixture
def journal(place: Place) -> Iterator[Journal]:
    with Journal.open(place) as journal:
        yield journal


def _three_cycles(place: Place) -> None:
    with Journal.open(place) as journal:
        for number in range(3):
            run_cycle(journal, f"c{number}", when=300 * number)


@pytest.fixture
def three_cycles(path: Path) -> Path:
    """A closed file with three whole cycles."""
    _three_cycles(path)
    return path


@pytest.fixture
def three(place: Place) -> Place:
    """A closed journal with three whole cycles, in a file and in PostgreSQL."""
    _three_cycles(place)
    return place
