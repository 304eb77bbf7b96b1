"""Conditions of the reader, as SQL text with named values.

The same statements are run by SQLAlchemy for an open journal and by plain sqlite3 for `status`, which has no time to
import SQLAlchemy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

# Runs a statement that returns rows, with its named values (`:name`), and returns all of them.
Ask = Callable[[str, Mapping[str, object]], Sequence[Sequence[Any]]]


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
