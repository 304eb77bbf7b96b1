"""Conditions of the reader, as SQL text with named values.

The same statements are run on SQLite and on PostgreSQL, by SQLAlchemy's connections for an open journal and by the
plain driver for `status`, which has no time to import SQLAlchemy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Rows = Sequence[Sequence[Any]]
Dialect = Literal["sqlite", "postgresql"]


class Ask:
    """Runs statements that return rows, with their named values (`:name`), in one transaction of a database."""

    __slots__ = ("_run", "dialect")

    def __init__(self, run: Callable[[str, Mapping[str, object]], Rows], dialect: Dialect) -> None:
        self._run, self.dialect = run, dialect

    def __call__(self, statement: str, values: Mapping[str, object]) -> Rows:
        """All rows of the answer."""
        return self._run(statement, values)


class Where(NamedTuple):
    """A condition on the rows of one table, and the values of the names in it."""

    text: str
    values: Mapping[str, object]


def where(*texts: str, **values: str | int | Collection[str] | None) -> Where:
    """All of these conditions. A value that a text names (`:name`) belongs to it; any other is the value of the column
    with its name, a collection means one of its values, None no condition."""
    parts, named = list(texts), dict[str, object]()
    for name, value in values.items():
        if value is None:
            continue
        if any(re.search(rf":{name}\b", text) for text in texts):
            named[name] = value
        elif isinstance(value, (str, int)):
            parts.append(f"{name} = :{name}")
            named[name] = value
        else:
            among = {f"{name}_{number}": item for number, item in enumerate(sorted(value))}
            parts.append(f"{name} IN ({', '.join(f':{key}' for key in among)})" if among else "1 = 0")
            named |= among
    return Where(" AND ".join(parts) or "1 = 1", named)
