"""What a snapshot may not hold: each is one error with file, line, key and fix; and what it may, as before."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.codec import read_plan, read_snapshot
from rebalancer.core.documents import BadDocument
from tests.cli.contract import SNAPSHOT

Place = tuple[str | int, ...]


def changed(place: Place, value: Any) -> str:
    """The documented example with one value changed, every key on a line of its own."""
    document = json.loads(SNAPSHOT)
    inner = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    return json.dumps(document, indent=1)


def line(text: str, place: Place) -> int:
    """The line of a key, by the text around it."""
    at = 0
    for part in place:
        if isinstance(part, str):
            at = text.index(json.dumps(part) + ":", at)
    return text.count("\n", 0, at) + 1


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("account", "cash"), "\uff11\uff10", "'\uff11\uff10' is not a number"),
        (("account", "cash"), "1_000", "'1_000' is not a number"),
        (("account", "cash"), " 1", "' 1' is not a number"),
        (("account", "cash"), "1e999999", "'1e999999' is not a number"),
        (("account", "cash"), "NaN", "'NaN' is not a number"),
        (("account", "cash"), True, "True is not a number"),
        (("account", "shorting_enabled"), "yes", "'yes' is neither true nor false"),
        (("account", "shorting_enabled"), 1, "1 is neither true nor false"),
        (("as_of",), 0, "0 is not a time"),
        (("as_of",), "0", "'0' is not a time"),
        (("session", "open"), 1.5, "1.5 is not a time"),
        (("quotes", 0, "at"), "2026-11-20", "'2026-11-20' is not a time"),
        (("instruments", 0, "lot"), "0", "0 is not above zero"),
        (("instruments", 0, "lot"), "-1", "-1 is not above zero"),
        (("instruments", 0, "tick"), "0.00", "0.00 is not above zero"),
        (("instruments", 0, "tick"), "-0.01", "-0.01 is not above zero"),
        (("instruments", 0, "volatility"), "nan", "'nan' is not a number"),
        (("instruments", 0, "volatility"), "\u0665", "'\u0665' is not a number"),
        (("day", "orders_sent"), -1, "-1 is below zero"),
        (("day", "orders_sent"), "1_0", "'1_0' is not a number"),
        (("day", "orders_sent_by_symbol", "AAPL"), -2, "-2 is below zero"),
        (("signals", 0, "score"), "0_1", "'0_1' is not a number"),
        (("signals", 0, "scroe"), 1, "is not known here"),
    ],
)
def test_a_senseless_value_is_refused_with_its_place(place: Place, value: Any, problem: str) -> None:
    text = changed(place, value)
    with pytest.raises(BadDocument) as refused:
        read_snapshot(text, "s.json")
    said = refused.value
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    assert (said.where, said.problem) == (f"s.json:{line(text, place)}: {key}", problem)
    assert said.hint


def test_an_infinite_volatility_is_refused() -> None:
    with pytest.raises(BadDocument, match=r"volatility: inf is not finite"):
        read_snapshot(changed(("instruments", 0, "volatility"), 1).replace('"volatility": 1', '"volatility": 1e999'))


@pytest.mark.parametrize("key", ["positions", "quotes", "instruments"])
def test_a_symbol_that_stands_twice_is_refused(key: str) -> None:
    document = json.loads(SNAPSHOT)
    document[key].append(document[key][0])
    with pytest.raises(BadDocument) as refused:
        read_snapshot(json.dumps(document), "s.json")
    assert str(refused.value) == (f"s.json:1: {key}[1].symbol: AAPL is in {key}[0] too\n  hint: keep one of the rows")


def test_an_unknown_key_is_told_with_what_was_meant() -> None:
    with pytest.raises(BadDocument, match="did you mean 'score'"):
        read_snapshot(changed(("signals", 0, "scroe"), 1))


@pytest.mark.parametrize(
    ("place", "value", "read"),
    [
        (("account", "cash"), 100000, Decimal(100_000)),
        (("account", "cash"), 0.5, Decimal("0.5")),
        (("account", "cash"), "-.5", Decimal("-0.5")),
        (("account", "cash"), "+1E3", Decimal(1000)),
        (("as_of",), "2026-11-20 15:35:02.123456+00:00", datetime(2026, 11, 20, 15, 35, 2, 123456, UTC)),
        (("instruments", 0, "volatility"), 0, 0),
        (("instruments", 0, "volatility"), -0.1, -0.1),
        (("instruments", 0, "volatility"), None, None),
        (("signals", 0, "stop_price"), None, None),
    ],
)
def test_what_is_clear_is_read_as_before(place: Place, value: Any, read: object) -> None:
    found: Any = read_snapshot(changed(place, value))
    for part in place:
        found = found[part] if isinstance(part, int) else getattr(found, part)
    assert found == read


def test_too_many_rows_are_refused_at_once() -> None:
    with pytest.raises(BadDocument, match=r"positions: has 100001 rows"):
        read_snapshot(changed(("positions",), [0] * 100_001))


def test_a_plan_is_held_to_the_same() -> None:
    with pytest.raises(BadDocument, match=r"p.json:1: .*orders\[0\].qty: '\uff11' is not a number"):
        read_plan('{"orders": [{"qty": "\uff11"}]}', "p.json")
