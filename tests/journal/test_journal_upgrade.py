"""Versions of the schema, and copies."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from journal_kit import at, plain

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal, status_query, upgrade
from rebalancer.journal.backups import restore
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.schema import metadata, postgres_metadata


def test_the_migrations_lead_to_the_schema(journal: Journal) -> None:
    """The sum of all steps is the schema, in either database: tables, types, indexes with their conditions, and in
    PostgreSQL the collation of every text."""
    is_postgres = isinstance(journal.place, PostgresPlace)
    whole = [metadata, postgres_metadata] if is_postgres else [metadata]
    with journal._store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, whole) == []  # type: ignore[arg-type]  # several are allowed
        ask = journal._store.database.ask_on(connection)
        if is_postgres:
            conditions = ask(
                "SELECT indexname, indexdef LIKE '% WHERE (kind = %' FROM pg_indexes WHERE schemaname = :schema",
                {"schema": journal.place.schema},
            )
            odd = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = :schema "
            odd += "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
            assert ask(odd, {"schema": journal.place.schema}) == []
        else:
            conditions = ask("SELECT name, sql LIKE '% WHERE kind = %' FROM sqlite_master WHERE type = 'index'", {})
        partial = {name for name, has_condition in conditions if has_condition}
        assert partial == {"uq_events_intent", "uq_events_end"}
    assert status_query.SCHEMA == upgrade.NEWEST
    newest = max(file.name[:4] for file in (upgrade.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert newest == upgrade.NEWEST


def test_a_newer_schema_is_refused_and_left_alone(three: Place) -> None:
    connection = plain(three)
    connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.close()
    before = three.read_bytes() if isinstance(three, Path) else b""
    with pytest.raises(JournalBroken, match="has schema 0002, this program knows 0001\n  hint: a newer rebalancer"):
        Journal.open(three)
    assert (three.read_bytes() if isinstance(three, Path) else b"") == before
    seen = status_query.query_status(three, now=at(0))
    assert seen is not None
    assert seen.schema_ok is False


@pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "UPDATE alembic_version SET version_num = 'x'"])
def test_another_programs_database_is_refused(three: Place, statement: str) -> None:
    connection = plain(three)
    connection.execute(statement)
    connection.close()
    with pytest.raises(JournalBroken, match="is a database, but not a journal"):
        Journal.open(three)


SECOND = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.add_column("signals", sa.Column("note", sa.Text))
    {more}
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """The package's migrations, to which a test adds the next one."""
    target = tmp_path / "100% migrations"
    shutil.copytree(upgrade.MIGRATIONS, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_an_upgrade_of_a_file_keeps_a_copy(three_cycles: Path, migrations: Path) -> None:
    (migrations / "versions" / "0002_next.py").write_text(SECOND.format(more=""))
    with Journal.open(three_cycles) as journal:
        upgrade.upgrade(journal._store, "0002", migrations)
        assert journal.verify() == 43
    copy = three_cycles.with_name("journal.sqlite.schema-0001")
    columns = []
    for file in (three_cycles, copy):
        with closing(sqlite3.connect(file)) as raw:
            columns.append([row[1] for row in raw.execute("PRAGMA table_info(signals)")])
    assert columns[0] == [*columns[1], "note"]
    with Journal.open(copy) as old:
        assert old.verify() == 43


def test_the_copy_is_that_of_the_newest_upgrade(three_cycles: Path, migrations: Path, tmp_path: Path) -> None:
    """Upgraded, taken back by the copy, traded on with the older program, and upgraded again."""
    (migrations / "versions" / "0002_next.py").write_text(SECOND.format(more=""))
    with Journal.open(three_cycles) as journal:
        upgrade.upgrade(journal._store, "0002", migrations)
    copy = three_cycles.with_name("journal.sqlite.schema-0001")
    assert restore(copy, three_cycles, at(0), "back").rows == 43
    with Journal.open(three_cycles) as journal:
        journal.record_event("acc", None, at(0), "later", None, {})
        upgrade.upgrade(journal._store, "0002", migrations)
        journal._store.database.keep_before_upgrade("0001")  # a slower process, which saw the older schema
        assert journal.verify() == 45
    with Journal.open(copy) as old:
        assert [event.kind for event in old.latest_events(2)] == ["later", "journal_restored"]
    assert [path.name for path in three_cycles.parent.glob("*.part")] == []


def test_an_upgrade_leads_a_journal_on(three: Place, migrations: Path) -> None:
    (migrations / "versions" / "0002_next.py").write_text(SECOND.format(more=""))
    with Journal.open(three) as journal:
        upgrade.upgrade(journal._store, "0002", migrations)
        assert journal.verify() == 43
    connection = plain(three)
    connection.execute("UPDATE signals SET note = 'x'")
    connection.close()


def test_a_failing_upgrade_changes_nothing(three: Place, migrations: Path) -> None:
    (migrations / "versions" / "0002_next.py").write_text(SECOND.format(more='op.execute("SELECT nonsense")'))
    with Journal.open(three) as journal:
        with pytest.raises(JournalBroken, match="nonsense"):
            upgrade.upgrade(journal._store, "0002", migrations)
        with journal._store.reading() as connection:
            assert upgrade.version_of(connection, journal._store) == "0001"
            whole = [metadata, postgres_metadata] if isinstance(three, PostgresPlace) else [metadata]
            assert compare_metadata(MigrationContext.configure(connection), whole) == []  # type: ignore[arg-type]


def test_a_backup_is_complete_private_and_never_overwrites(three: Place, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite"
    with Journal.open(three) as journal:
        assert journal.backup(target) == 43
        assert target.stat().st_mode & 0o777 == 0o600
        with Journal.open(target, create=False) as copy:
            assert copy.latest_events(100) == journal.latest_events(100)
        with pytest.raises(JournalBroken, match="the copy cannot be written: File exists"):
            journal.backup(target)
        with pytest.raises(JournalBroken, match="No such file"):
            journal.backup(tmp_path / "nowhere" / "copy.sqlite")
