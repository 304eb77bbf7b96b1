"""Every reason is put into words once, in one place, and no code reads the words back."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from pydantic import TypeAdapter

from rebalancer.core.reasons import FORMATS, NOTHING, Reason, ReasonCode, Reasons, because, numbers_of, stated

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "reasons.md"
AT = datetime(2026, 11, 20, 15, 34, 56, tzinfo=UTC)

# One number in each format.
SAMPLES: dict[str, Any] = {
    "text": "words",
    "words": "late_fill",
    "names": ("AAPL", "KO"),
    "reasons": because(ReasonCode.PAUSED),
    "count": 3,
    "gone": 3,
    "number": Decimal("12.50"),
    "usd": Decimal("1234.567"),
    "dollars": Decimal("1234.567"),
    "price": Decimal("1234.5"),
    "prices": (Decimal("190.01"), Decimal("190.02")),
    "percent": 0.0213,
    "tenths": 0.15,
    "points": 0.0447,
    "drift": 0.0122,
    "signed": 0.8,
    "bp": 0.00038,
    "hundredths": 0.9,
    "weight": 0.6,
    "short": 120.0,
    "whole": 121.4,
    "below": (0.0999, 0.1),
    "clock": AT,
    "second": AT,
    "moment": AT,
    "cap": "sector:Technology",
    "group": "correlation:g1",
    "rule": "risk_management.max_trade_heat",
    "factors": {"sector:Technology": 0.82, "gross": 0.95},
}


def sample(code: ReasonCode) -> Reasons:
    return because(code, **{name: SAMPLES[written] for name, written in numbers_of(code).items()})


def page() -> str:
    rows = []
    for code in ReasonCode:
        numbers = ", ".join(f"`{name}`: {FORMATS[written][1]}" for name, written in numbers_of(code).items())
        rows.append(f"| `{code.name}` | {sample(code)} | {numbers} |".replace("|score x confidence|", "&#124;…&#124;"))
    return "\n".join([HEAD, *rows, ""])


HEAD = """\
# Reasons

Why something was decided: in plans, verdicts and reports under `because`. Inside the program a reason is a code with
its numbers; it becomes a sentence only where somebody reads it. Several are joined by "; ". The sentences may be
improved in any release: a program should act on outcomes, never on these words.

This page is written by `UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/core` from `rebalancer/core/reason_codes.py`.

| code | as a sentence | its numbers |
|---|---|---|"""


def test_the_reference_shows_every_code_as_a_sentence() -> None:
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("code", ReasonCode, ids=lambda code: code.name)
def test_every_number_of_a_sentence_has_a_known_format(code: ReasonCode) -> None:
    named = [(name, written) for _, name, written, _ in Formatter().parse(code.value) if name is not None]
    assert [written for _, written in named if written not in FORMATS] == []
    assert str(sample(code)) != ""


def test_several_reasons_are_joined_and_may_be_told_apart_by_their_codes() -> None:
    why = because(ReasonCode.ABOVE_TARGET, now=0.0447, target=0.0325).plus(because(ReasonCode.NO_SIGNAL))
    assert str(why) == "4.47 -> 3.25 %: above target; no usable signal"
    assert (why.has(ReasonCode.NO_SIGNAL), why.has(ReasonCode.SCORE)) == (True, False)
    assert why.without(ReasonCode.NO_SIGNAL) == stated("4.47 -> 3.25 %: above target")
    assert (bool(NOTHING), str(NOTHING), stated("")) == (False, "", NOTHING)
    assert str(because(ReasonCode.CLOSES, now=0.01, target=-1e-9)) == "1.00 -> 0.00 %: to be closed"


def test_in_a_document_reasons_are_their_words() -> None:
    adapter = TypeAdapter(tuple[Reasons, ...])
    why = sample(ReasonCode.WITHIN_BAND)
    assert adapter.validate_python([str(why), ""]) == (why, NOTHING)
    assert next(iter(adapter.validate_python([str(why)])[0])) == Reason(ReasonCode.STATED, {"text": str(why)})


def test_a_number_is_written_with_as_many_decimals_as_tell_it_from_its_limit() -> None:
    words = [str(because(ReasonCode.TOO_WEAK, strength=pair)) for pair in ((0.05, 0.1), (0.0999, 0.1), (0.1, 0.1))]
    assert [
        text.removeprefix("|score x confidence| ").removesuffix(": no position is supported") for text in words
    ] == [
        "0.05 is below 0.10",
        "0.0999 is below 0.1000",
        "0.1 is below 0.1",
    ]


# --- how the program uses them -------------------------------------------------------------------------------------

MODULES = sorted((ROOT / "rebalancer").rglob("*.py"))
RENDERER = ROOT / "rebalancer" / "core" / "reasons.py"


def calls_of_because(tree: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """The code and the names of the numbers of every `because(ReasonCode.X, ...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "because":
            for code in _codes(node.args[0]):
                yield code, {keyword.arg or "**" for keyword in node.keywords}


def _codes(node: ast.AST) -> set[str]:
    return {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "ReasonCode"
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_reason_is_given_the_numbers_of_its_sentence(path: Path) -> None:
    wrong = [
        f"{code}: {sorted(given)}, its sentence has {sorted(numbers_of(ReasonCode[code]))}"
        for code, given in calls_of_because(ast.parse(path.read_text(encoding="utf-8")))
        if given != set(numbers_of(ReasonCode[code]))
    ]
    assert wrong == []


def test_every_code_is_used() -> None:
    used = {code for path in MODULES for code in _codes(ast.parse(path.read_text(encoding="utf-8")))}
    used |= _codes(ast.parse(RENDERER.read_text(encoding="utf-8")))
    assert {code.name for code in ReasonCode} - used == set()


READERS = {
    "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split", "rsplit",
    "find", "rfind", "index", "count", "replace", "strip", "lstrip", "rstrip", "match", "search", "fullmatch",
}  # fmt: skip
WORDS = {"because", "why"}


def readings_of_prose(tree: ast.AST) -> Iterator[int]:
    """The lines on which a reason's words are compared, searched, taken apart or cut."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            if any(map(_is_reason, parts)) and not any(isinstance(p, ast.Constant) and p.value is None for p in parts):
                yield node.lineno
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in READERS
            and any(map(_is_reason, (node.func.value, *node.args)))
        ):
            yield node.lineno


def _is_reason(node: ast.AST) -> bool:
    """Whether this is `because` or `why`, of something or by itself, or the words of it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str" and node.args:
        return _is_reason(node.args[0])
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in WORDS


@pytest.mark.parametrize("path", [p for p in MODULES if p != RENDERER], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_reads_the_words_of_a_reason(path: Path) -> None:
    """Act on the outcome or on the code: `why.has(ReasonCode.X)`."""
    lines = [f"{path.relative_to(ROOT)}:{n}" for n in readings_of_prose(ast.parse(path.read_text(encoding="utf-8")))]
    assert lines == []


@pytest.mark.parametrize(
    "line",
    [
        'plan.because.removesuffix(": reductions only")',
        'head, _, tail = verdict.because.rpartition("; ")',
        '"neutral" in str(target.because)',
        'if one.because != "about to trade": pass',
        're.match("flat by", halt.why)',
        "because in told",
    ],
)
def test_such_a_reading_is_found(line: str) -> None:
    assert list(readings_of_prose(ast.parse(line))) == [1]
