"""The line of every place in a JSON text, against a text that was written line by line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.core.json_place import line_of, line_of_second

KEYS = st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document, in the order of its text."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inner for found in [(*place, key), *places(item, (*place, key))]]


def written(value: Any) -> tuple[str, dict[tuple[str | int, ...], int]]:
    """The document with each key and each row on a line of its own, and these lines."""
    lines: dict[tuple[str | int, ...], int] = {}
    text = ""

    def write(item: Any, place: tuple[str | int, ...]) -> None:
        nonlocal text
        if not isinstance(item, (dict, list)):
            text += json.dumps(item, ensure_ascii=len(place) % 2 == 0)
            return
        text += "{" if isinstance(item, dict) else "["
        for number, key in enumerate(item if isinstance(item, dict) else range(len(item))):
            text += ",\n" if number else "\n"
            lines[(*place, key)] = text.count("\n") + 1
            text += json.dumps(key) + " : " if isinstance(item, dict) else ""
            write(item[key], (*place, key))
        text += "}" if isinstance(item, dict) else "]"

    write(value, ())
    return text, lines


@given(VALUES)
def test_every_place_is_found_on_its_line(value: Any) -> None:
    text, lines = written(value)
    assert {place: line_of(text, place) for place in places(value)} == lines


@given(VALUES, st.lists(KEYS | st.integers(0, 9), max_size=4))
def test_a_place_that_is_not_there_is_no_error(value: Any, place: list[str | int]) -> None:
    text, _ = written(value)
    assert 1 <= line_of(text, tuple(place)) <= text.count("\n") + 1
    assert line_of(text[: len(text) // 2], tuple(place)) >= 1


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ('{"a": 1,\n"b": {"a": 2},\n"a": 3}', "a", 3),
        ('[{"a": "a",\n"b": ["a", "a"]},\n{"x": "{", "a": 1,\n"\\u0061": 2}]', "a", 4),
        ('{"a": 1}', "a", 1),
    ],
)
def test_the_second_of_two_equal_keys_is_found(text: str, key: str, line: int) -> None:
    assert line_of_second(text, key) == line


def test_many_keys_are_read_once_each() -> None:
    """Work that grows with the square of the input would take days here, and be ended as a hang."""
    text = "{" + ",".join(f'"{n}":{n}' for n in range(300_000)) + ',"299999":1}'
    with pytest.raises(BadDocument, match="299999: appears twice"):
        read_json(text, "f.json")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"a": [\n"x",\n"\\ud800"]}', "f.json:3: a[1]"),
        ('{"a": 1,\n"\\uDFFF": 2}', "f.json:2: \\udfff"),
        ('"\\ud83d"', "f.json:1: document"),
    ],
)
def test_half_a_character_is_refused_with_its_place(text: str, where: str) -> None:
    with pytest.raises(BadDocument) as refused:
        read_json(text, "f.json")
    assert str(refused.value) == (
        f"{where}: holds half a character (a lone surrogate)\n  hint: write the character itself, in UTF-8"
    )


def test_whole_characters_pass_in_either_spelling() -> None:
    assert read_json('["\\ud83d\\ude00", "\\\\ud800"]', "f.json") == ["\U0001f600", "\\ud800"]
