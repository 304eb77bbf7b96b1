"""Why something was decided, as a code with its numbers, and the one place where it becomes a sentence.

A step of planning, the order manager and the verdicts give reasons as values: `because(ReasonCode.WITHIN_BAND,
drift=0.0002, band=0.0029)`. Nothing is put into words until somebody asks with `str`, and nothing ever reads the words
back: code compares codes.

The sentences are those of `core/reason_codes.py`; several are joined by "; ".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from string import Formatter
from typing import Any, Final, NamedTuple

from rebalancer.core.reason_codes import ReasonCode
from rebalancer.core.values import text_of

__all__ = ["FORMATS", "NOTHING", "Reason", "ReasonCode", "Reasons", "because", "cap_text", "numbers_of", "stated"]


class Reason(NamedTuple):
    """One reason: its code, and the numbers of it by name. `str` puts it into words."""

    code: ReasonCode
    numbers: Mapping[str, object]

    def __str__(self) -> str:
        return "".join(
            f"{words}{written(self.numbers[name])}" if name else words for words, name, written in _parts(self.code)
        )


class Reasons:
    """Reasons in the order in which they are told; empty when there is nothing to say. Immutable.

    Equal when they say the same, since those of a stored plan have their words only. The reasons themselves are made
    when they are first asked for: of the thousands in a plan most never are.
    """

    __slots__ = ("_made", "_source")

    def __init__(self, made: Iterable[Reason] = ()) -> None:
        self._made: tuple[Reason, ...] | None = tuple(made)
        self._source: tuple[Callable[..., Iterable[Reason]], tuple[Any, ...]] | None = None

    @classmethod
    def later(cls, make: Callable[..., Iterable[Reason]], *values: Any) -> Reasons:
        """The reasons that `make(*values)` gives; it is called when they are first asked for. The values must be
        immutable."""
        found = cls.__new__(cls)
        found._made, found._source = None, (make, values)
        return found

    def plus(self, more: Iterable[Reason]) -> Reasons:
        """These reasons followed by more."""
        return Reasons.later(_joined, self, more)

    def has(self, code: ReasonCode) -> bool:
        """Whether one of them has this code."""
        return any(reason.code is code for reason in self)

    def without(self, *codes: ReasonCode) -> Reasons:
        """These reasons except those with one of the codes."""
        return Reasons(reason for reason in self if reason.code not in codes)

    def after(self, first: Reasons) -> Reasons:
        """What follows in these reasons, which begin with the first ones."""
        return Reasons(list(self)[len(first) :])

    def __iter__(self) -> Iterator[Reason]:
        if self._made is None:
            assert self._source is not None
            make, values = self._source
            self._made, self._source = tuple(make(*values)), None
        return iter(self._made)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def __str__(self) -> str:
        return "; ".join(map(str, self))

    def __repr__(self) -> str:
        return f"<Reasons: {self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reasons) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """In documents, reasons are their words."""
        from pydantic_core import core_schema  # imported here: planning runs without pydantic

        del source, handler
        return core_schema.no_info_after_validator_function(stated, core_schema.str_schema())


NOTHING: Final = Reasons()


def because(code: ReasonCode, /, **numbers: object) -> Reasons:
    """One reason with its numbers, named as in the sentence of the code."""
    return Reasons.later(_one, code, numbers)


def _one(code: ReasonCode, numbers: Mapping[str, object]) -> tuple[Reason]:
    return (Reason(code, numbers),)


def _joined(first: Reasons, more: Iterable[Reason]) -> tuple[Reason, ...]:
    return (*first, *more)


def stated(text: str) -> Reasons:
    """A reason of which only the words are known; none for an empty text."""
    return because(ReasonCode.STATED, text=text) if text else NOTHING


def numbers_of(code: ReasonCode) -> Mapping[str, str]:
    """The numbers of a code by name, each with the first format in which its sentence writes it."""
    found: dict[str, str] = {}
    for _, name, written, _ in Formatter().parse(code.value):
        if name:
            found.setdefault(name, written or "")
    return found


@cache
def _parts(code: ReasonCode) -> tuple[tuple[str, str, Callable[[Any], str]], ...]:
    """The sentence of a code in parts: words, and the name and format of the number after them ("" at the end)."""
    return tuple(
        (words, name or "", FORMATS[written][0] if written else str)
        for words, name, written, _ in Formatter().parse(code.value)
    )


def cap_text(name: str) -> str:
    """The name of a cap in words: "sector:Technology" is "sector Technology"."""
    return name.replace(":", " ", 1)


def _points(fraction: float | Decimal) -> str:
    text = f"{fraction * 100:.2f}"
    return "0.00" if text == "-0.00" else text


def _below(numbers: tuple[float, float]) -> str:
    """ "0.09 is below 0.10", with as many decimals as are needed to show the difference."""
    number, limit = numbers
    for places in range(2, 17):
        small, large = f"{number:.{places}f}", f"{limit:.{places}f}"
        if small != large:
            return f"{small} is below {large}"
    return f"{number!r} is below {limit!r}"


def _weight(fraction: float) -> str:
    whole, _, places = f"{fraction + 0.0:.6f}".partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


def _gone(positions: int) -> str:
    return "1 position is" if positions == 1 else f"all {positions} positions are"


def _moment(at: datetime) -> str:
    return at.isoformat()


# Each format with what it writes. Fractions are of capital, unless the sentence names something else.
FORMATS: Final[Mapping[str, tuple[Callable[[Any], str], str]]] = {
    "text": (str, "words"),
    "words": (lambda word: word.replace("_", " "), "words"),
    "names": (", ".join, "a list of names"),
    "reasons": (str, "reasons"),
    "count": (str, "a count"),
    "s": (lambda count: "" if count == 1 else "s", 'a count: "s" for the plural'),
    "gone": (_gone, "a count of positions"),
    "number": (text_of, "an exact number: shares or a price"),
    "usd": (lambda money: f"${money:,.2f}", "USD"),
    "dollars": (lambda money: f"${money:,.0f}", "USD, whole"),
    "price": (lambda price: f"{price:,.2f}", "USD per share"),
    "prices": (lambda prices: ", ".join(f"{price:,.2f}" for price in prices), "USD per share, one per order"),
    "percent": (lambda fraction: f"{fraction:.2%}", "a fraction, in %"),
    "tenths": (lambda fraction: f"{fraction:.1%}", "a fraction, in % with one decimal"),
    "points": (_points, "a fraction, in percentage points"),
    "drift": (lambda fraction: f"{fraction * 100:+.2f}", "a fraction, in percentage points with its sign"),
    "signed": (lambda score: f"{score:+.2f}", "a score"),
    "bp": (lambda fraction: f"{fraction * 10_000:.1f}", "a fraction, in basis points"),
    "hundredths": (lambda number: f"{number:.2f}", "a number with two decimals"),
    "weight": (_weight, "a weight, with two to six decimals"),
    "short": (lambda number: f"{number:g}", "a number"),
    "whole": (lambda number: f"{number:,.0f}", "a number, rounded"),
    "below": (_below, "a number and the limit it is below"),
    "clock": (lambda at: f"{at:%H:%M:%S}", "a time"),
    "second": (lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC", "a time with its date"),
    "moment": (_moment, "a time with its date"),
    "cap": (cap_text, "the name of a cap"),
    "group": (lambda name: name.replace(":", " group ", 1), "the name of a group"),
    "rule": (lambda key: key.rpartition(".")[2], "the key of a rule"),
    "factors": (
        lambda factors: ", ".join(f"{cap_text(name)} x {factor:.2f}" for name, factor in factors.items()),
        "the caps that shrink a weight, each with its factor",
    ),
}
