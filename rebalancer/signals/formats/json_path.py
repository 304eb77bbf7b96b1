"""JSONPath, the part that points at fields: $, .name, ['name'], [0], [*] (RFC 9535). Filters and slices are refused."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_STEP: Final = re.compile(
    r"""\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<index>-?[0-9]{1,9})|(?P<all>\*))\]|(?P<every>\.\*)"""
)


class Step(NamedTuple):
    """One step into a value: a key, an index, or every item of a list or object."""

    key: str | int | None


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path. Raises ValueError, naming the part that is not understood."""
    text = text.strip()
    if not text.startswith(("$", "@")):
        raise ValueError(f"{text[:60]!r} does not begin with $")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"{text[at : at + 20]!r} is not understood; use $, .name, ['name'], [0] and [*]")
        key: str | int | None = next((found[g] for g in ("name", "single", "double") if found[g] is not None), None)
        steps.append(Step(int(found["index"]) if found["index"] is not None else key))
        at = found.end()
    return tuple(steps)


def values_at(document: object, steps: tuple[Step, ...]) -> list[object]:
    """Every value that the path leads to, in the order of the document."""
    found: list[object] = [document]
    for step in steps:
        found = [value for one in found for value in _inside(one, step.key)]
    return found


def _inside(value: object, key: str | int | None) -> list[object]:
    if key is None:
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    if isinstance(key, int):
        is_there = isinstance(value, list) and -len(value) <= key < len(value)
        return [value[key]] if is_there and isinstance(value, list) else []
    return [value[key]] if isinstance(value, dict) and key in value else []
