"""Parse one scalar as the kind of value that the rules expect. Nothing is guessed: anything ambiguous is refused.

Booleans and null are those of YAML 1.2. Numbers are decimal with a point: no octal, no base 60, no underscores, no
comma, no percent, no infinity.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from rebalancer.settings.document import Scalar
from rebalancer.settings.kinds import Kind

_NULLS: Final = ("null", "Null", "NULL", "~")
_TRUE: Final = ("true", "True", "TRUE")
_FALSE: Final = ("false", "False", "FALSE")
_WHOLE: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LENGTH_MAX: Final = 40
_MONEY_PLACES_MAX: Final = 6

Value = bool | int | float | str | Decimal | None


class UnreadableValue(ValueError):
    """A scalar that is not of the expected kind; `hint` says what to write."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


def value_of(scalar: Scalar, kind: Kind) -> Value:
    """The value of a scalar. Raises UnreadableValue."""
    text = scalar.text
    if scalar.plain and not text:
        raise UnreadableValue("has no value", "write a value, or remove the line to get the default")
    if scalar.plain and kind.nullable and text in _NULLS:
        return None
    if scalar.plain and kind.name in ("text", "word_or_whole") and text in ("null", "~"):
        raise UnreadableValue("must not be null", 'remove the line to get the default, or write "" for an empty text')
    if kind.name not in ("text", "word_or_whole") and not scalar.plain:
        raise UnreadableValue(f"{_short(text)} is a text in quotes, not a {_WORDS[kind.name]}", "remove the quotes")
    return _READERS[kind.name](text)


def closest(word: str, known: list[str]) -> str | None:
    """The closest known word, if any is close enough."""
    folded = {name.lower().replace("-", "_"): name for name in known}
    found = difflib.get_close_matches(word.strip().lower().replace("-", "_").replace(" ", "_"), list(folded), 1, 0.6)
    return folded[found[0]] if found else None


def _flag(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise UnreadableValue(f"{_short(text)} is neither true nor false", "write true or false")


def _whole(text: str) -> int:
    if _WHOLE.fullmatch(text) and len(text) <= _LENGTH_MAX:
        return int(text)
    if _NUMBER.fullmatch(text):
        raise UnreadableValue(f"{_short(text)} is not a whole number", "write it with digits only, such as 10")
    raise _not_a_number(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or len(text) > _LENGTH_MAX:
        raise _not_a_number(text)
    value = float(text)
    if not math.isfinite(value):
        raise UnreadableValue(f"{_short(text)} is too large")
    return value


def _money(text: str) -> Decimal:
    _number(text)
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # finite: the pattern admits nothing else
    if exponent < -_MONEY_PLACES_MAX:
        raise UnreadableValue(
            f"{_short(text)} has more than {_MONEY_PLACES_MAX} decimal places", "write dollars and cents"
        )
    return Decimal(format(value, "f"))


def _text(text: str) -> str:
    return text


def _word_or_whole(text: str) -> str | int:
    return int(text) if _WHOLE.fullmatch(text) and len(text) <= _LENGTH_MAX else text


_READERS: Final[Mapping[str, Callable[[str], Value]]] = {
    "flag": _flag,
    "whole": _whole,
    "number": _number,
    "money": _money,
    "text": _text,
    "word_or_whole": _word_or_whole,
}
_WORDS: Final = {"flag": "boolean", "whole": "whole number", "number": "number", "money": "number"}


def _not_a_number(text: str) -> UnreadableValue:
    problem = f"{_short(text)} is not a number"
    if re.fullmatch(r"[-+]?[0-9]+,[0-9]+", text):
        return UnreadableValue(problem, f"write decimals with a point: {text.replace(',', '.')}")
    if re.fullmatch(r"[-+]?[0-9]+(?:\.[0-9]+)? ?%", text):
        return UnreadableValue(problem, f"fractions, not percent: {float(text.rstrip(' %')) / 100:.6g}")
    if re.fullmatch(r"[-+]?[0-9]+(?::[0-9]+)+", text):
        return UnreadableValue(problem, "a colon does not belong in a number")
    if re.fullmatch(r"[-+]?0[0-9]+(?:\.[0-9]*)?", text):
        return UnreadableValue(problem, "leave out the leading zeros: some programs read such a number as octal")
    if re.fullmatch(r"[-+]?[0-9][0-9_' ,]*(?:\.[0-9]*)?", text):
        return UnreadableValue(problem, "write the digits without separators, such as 10000.0")
    if re.fullmatch(r"[-+]?\.?(?:inf|infinity|nan)", text.lower()):
        return UnreadableValue(problem, "write a finite number")
    return UnreadableValue(problem, "write a decimal number, such as 0.10")


def _short(text: str) -> str:
    return repr(text if len(text) <= _LENGTH_MAX else text[:_LENGTH_MAX] + "...")
