"""Where a journal is: a file, or a schema of a PostgreSQL database. Imports no driver, because `status` uses it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from rebalancer.core.database_url import is_postgres, problem_of, shown, split_password, split_schema
from rebalancer.core.errors import JournalBroken

SCHEMA_BEGINS: Final = "rebalancer_"
_PROFILE_MAX: Final = 40  # letters; a name of PostgreSQL has at most 63
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+]+)://(.*)", re.DOTALL)


class PostgresPlace:
    """One journal in PostgreSQL: a schema of its own, with the same tables as a file.

    url: without password and schema. state: the folder of this host's head checkpoint and locks; None for a database
    that is only copied from or to. password: "" leaves it to libpq (PGPASSWORD, a password file).
    """

    __slots__ = ("_password", "schema", "state", "url")

    def __init__(self, url: str, schema: str, state: Path | None = None, password: str = "") -> None:
        self.url, self.schema, self.state, self._password = url, schema, state, password

    @property
    def password(self) -> str:
        """For the connection alone."""
        return self._password

    @property
    def parent(self) -> Path:
        """The state folder, as the folder of a journal file is; the working folder when there is none."""
        return Path.cwd() if self.state is None else self.state

    def __str__(self) -> str:
        return f"{shown(self.url)} (schema {self.schema})"

    def __repr__(self) -> str:
        return f"PostgresPlace({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresPlace) and (self.url, self.schema) == (other.url, other.schema)

    def __hash__(self) -> int:
        return hash((self.url, self.schema))


Place = Path | PostgresPlace


def schema_name(mode: str, profile: str) -> str:
    """The schema of a state folder's journal: of its profile, if it has one, and its mode (simulated, paper, live).
    Different profiles never share one."""
    name = re.sub(r"[^a-z0-9]", lambda found: f"_{ord(found[0]):02x}", profile)
    if len(name) > _PROFILE_MAX:
        name = f"{name[: _PROFILE_MAX - 9]}_{hashlib.sha256(profile.encode()).hexdigest()[:8]}"
    return SCHEMA_BEGINS + "_".join(part for part in (name, mode) if part)


def place_of(text: str | Path | PostgresPlace, *, schema: str = f"{SCHEMA_BEGINS}journal", password: str = "") -> Place:
    """The journal named by a path, a `sqlite:///` or a `postgresql://` URL. Raises JournalBroken.

    schema, password: for a URL that says neither `?schema=` nor a password.
    """
    if isinstance(text, PostgresPlace):
        return text
    if is_postgres(str(text)):
        url, inside = split_password(str(text))
        problem = problem_of(url)
        if problem is not None:
            raise JournalBroken(f"{shown(url)}: {problem}")
        bare, named = split_schema(url)
        return PostgresPlace(bare, named or schema, None, inside or password)
    match = _SCHEME.match(str(text))
    if match is None:
        path = str(text)
    elif match[1] == "sqlite" and match[2].startswith("/"):
        path = match[2][1:]
    else:
        hint = "use a path, sqlite:///path or postgresql://user@host/database"
        raise JournalBroken(f"{match[1]}: a journal cannot be kept there\n  hint: {hint}")
    if path in ("", ":memory:"):
        raise JournalBroken("a journal in memory would forget what was sent\n  hint: use a path")
    return Path(path).absolute()
