"""Find the line of a path in a JSON text. Used only for error messages; takes time linear in the length of the text."""

from __future__ import annotations

import json
import re
from typing import Final

SECOND_MAX: Final = 4 * 1024 * 1024  # characters; repeated keys are not located in a larger text
_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_MARK: Final = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"', re.DOTALL)
_DECODER: Final = json.JSONDecoder()


def line_of(text: str, place: tuple[str | int, ...]) -> int:
    """The line of a path, or of its deepest part that exists; 1 where the text is not JSON."""
    try:
        return text.count("\n", 0, _offset_of(text, place)) + 1
    except (ValueError, IndexError, RecursionError):
        return 1


def line_of_second(text: str, key: str) -> int:
    """The line of a key's second occurrence in one object; 1 when there is none, or when the text is too long."""
    stack: list[tuple[bool, bool]] = []  # per open bracket: is it an object, has the key been seen in it
    written, follows = json.dumps(key, ensure_ascii=False), ""
    for match in _MARK.finditer(text, 0, SECOND_MAX if len(text) <= SECOND_MAX else 0):
        mark = match[0]
        if mark in ("{", "["):
            stack.append((mark == "{", False))
        elif mark in ("}", "]"):
            if stack:
                stack.pop()
        elif stack and stack[-1][0] and follows in ("{", ",") and _is(mark, written, key):
            if stack[-1][1]:
                return text.count("\n", 0, match.start()) + 1
            stack[-1] = (True, True)
        follows = mark
    return 1


def _is(mark: str, written: str, key: str) -> bool:
    return mark == written or ("\\" in mark and json.loads(mark) == key)


def _offset_of(text: str, place: tuple[str | int, ...]) -> int:
    """The offset at which a key or list item begins. Values before it are skipped with the JSON decoder itself."""
    at = found = _after_blanks(text, 0)
    for part in place:
        opening = text[at]
        if opening != ("[" if isinstance(part, int) else "{"):
            return found
        at, number = _after_blanks(text, at + 1), 0
        while True:
            if text[at] in "}]":
                return found
            start, name = at, part if opening == "[" and number == part else None
            if opening == "{":
                name, at = _DECODER.raw_decode(text, at)
                at = _after_blanks(text, _after_blanks(text, at) + 1)  # after the colon
            if name == part:
                found = start
                break
            at = _after_blanks(text, _DECODER.raw_decode(text, at)[1])
            if text[at] == ",":
                at = _after_blanks(text, at + 1)
            number += 1
    return found


def _after_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return at if match is None else match.end()
