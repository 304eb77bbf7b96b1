"""Snapshots, plans and rules as JSON: decimals as strings, times as RFC 3339, one canonical form for hashing.

Reading is strict: unknown or repeated keys, NaN, naive times and wrong types raise `BadDocument`, which names the key
and, where the text is available, its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from rebalancer.core.decisions import Plan
from rebalancer.core.documents import BadDocument, canonical, canonical_json, key_text, plain, read_json, sha256
from rebalancer.core.facts import Snapshot, sign_of
from rebalancer.core.json_place import line_of
from rebalancer.core.rules import Rules
from rebalancer.core.spelling import Misspelt, Place, misspelt
from rebalancer.core.stored_keys import PLAN_ADDED, RULES_ADDED, SNAPSHOT_ADDED, fill_in, leave_out
from rebalancer.core.values import decimal_of

__all__ = [
    "BadDocument",
    "canonical",
    "plain",
    "read_json",
    "read_plan",
    "read_rules",
    "read_snapshot",
    "rules_text",
    "seal",
    "sha256",
    "snapshot_text",
    "stored_rules",
    "stored_snapshot",
]


ABSURD: Final = Decimal(10) ** 15  # no real price, quantity or balance is this large: the input is wrong


def rules_text(rules: Rules) -> str:
    """The canonical text of rules, as stored and hashed. Keys added since edition 1 are omitted while they hold the
    value that means "absent" (see `stored_keys`)."""
    return canonical_json(leave_out(plain(rules.model_dump(mode="python")), RULES_ADDED))


def stored_rules(text: str) -> dict[str, Any]:
    """Stored rules as plain JSON with every current key. A key that did not exist when they were stored gets the value
    that reproduces the behaviour of that time. Raises BadDocument."""
    document = read_json(text, "stored rules")
    if not isinstance(document, dict):
        raise BadDocument("stored rules", "not a JSON object")
    return fill_in(document, RULES_ADDED)


def read_rules(text: str) -> Rules:
    """Parse rules stored by `rules_text` of this version or an older one. Raises BadDocument."""
    try:
        return Rules.model_validate(stored_rules(text))
    except ValidationError as error:
        raise _located(error, text, "stored rules") from None


def snapshot_text(snapshot: Snapshot) -> str:
    """The canonical text of a snapshot, as stored and hashed. Fields added since edition 1 are omitted while they hold
    the value that means "absent" (see `stored_keys`)."""
    document = leave_out(plain(snapshot), SNAPSHOT_ADDED)
    for row in document["signals"]:
        if "target" in row:
            del row["score"], row["confidence"]
    return canonical_json(document)


def seal(plan: Plan, snapshot_text: str, rules_text: str) -> Plan:
    """The plan with the hashes of the exact texts it was computed from."""
    return plan._replace(snapshot_sha256=sha256(snapshot_text), rules_sha256=sha256(rules_text))


@cache
def _snapshot_adapter() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot, config=ConfigDict(extra="forbid", allow_inf_nan=False))


@cache
def _plan_adapter() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan, config=ConfigDict(extra="forbid", allow_inf_nan=False))


def read_snapshot(text: str, source: str = "snapshot") -> Snapshot:
    """Read a `rebalancer.snapshot/1` document from outside this program. Raises BadDocument naming line and key."""
    document = _snapshot_document(text, source)
    _refuse_misspelt(Snapshot, document, text, source)
    for wrong in _contradictions(document):
        raise _at(wrong, text, source)
    snapshot = stored_snapshot(text, source)
    for wrong in (*_senseless(snapshot), *_repeated(snapshot)):
        raise _at(wrong, text, source)
    return snapshot


def stored_snapshot(text: str, source: str = "stored snapshot") -> Snapshot:
    """Read a snapshot stored by this version of the program or an older one. The broker's data is accepted as recorded,
    even where `read_snapshot` would now refuse it. Raises BadDocument."""
    document = _snapshot_document(text, source)
    try:
        document = fill_in(document, SNAPSHOT_ADDED)
        for _, row in _target_rows(document):
            row |= {"score": _sign_of_text(row["target"]), "confidence": 1.0}
        snapshot = _snapshot_adapter().validate_python(document)
    except ValidationError as error:
        raise _located(error, text, source) from None
    for wrong in (*_absurd(snapshot), *_without_zone(snapshot)):
        raise _at(wrong, text, source)
    return snapshot


def _snapshot_document(text: str, source: str) -> dict[str, Any]:
    document = read_json(text, source)
    if not isinstance(document, dict) or document.get("schema") != "rebalancer.snapshot/1":
        raise BadDocument(
            f"{source}:1: schema",
            "not a rebalancer.snapshot/1 document",
            'begin with {"schema": "rebalancer.snapshot/1"',
        )
    return document


def _target_rows(document: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The signals of a snapshot document that are target weights, with their places."""
    rows = document.get("signals")
    found = enumerate(rows) if isinstance(rows, list) else ()
    return [(i, row) for i, row in found if isinstance(row, dict) and row.get("target") is not None]


def _contradictions(document: dict[str, Any]) -> Iterator[Misspelt]:
    """Signals that are both a target weight and a score."""
    for i, row in _target_rows(document):
        for name in ("score", "confidence", "hold"):
            if row.get(name) not in (None, False):
                hint = "a signal has either a target or a score with its confidence"
                yield Misspelt(("signals", i, name), "stands together with a target", hint)


def _sign_of_text(target: object) -> float:
    """The sign of a target weight; 0 for a text that is no number, which the model then refuses."""
    try:
        return sign_of(decimal_of(str(target)))
    except ValueError:
        return 0.0


def read_plan(text: str, source: str = "plan") -> Plan:
    """Read a stored `rebalancer.plan/1` document of this planner edition or an older one. Raises BadDocument."""
    document = read_json(text, source)
    _refuse_misspelt(Plan, document, text, source)
    try:
        return _plan_adapter().validate_python(
            fill_in(document, PLAN_ADDED) if isinstance(document, dict) else document
        )
    except ValidationError as error:
        raise _located(error, text, source) from None


def _numbers(snapshot: Snapshot) -> Iterator[tuple[tuple[str | int, ...], Decimal]]:
    """Every decimal of a snapshot with its path."""
    for key, value in zip(snapshot.account._fields, snapshot.account, strict=True):
        if isinstance(value, Decimal):
            yield ("account", key), value
    for key in ("positions", "open_orders", "instruments", "quotes", "signals"):
        for i, row in enumerate(getattr(snapshot, key)):
            for name, value in zip(row._fields, row, strict=True):
                if isinstance(value, Decimal):
                    yield (key, i, name), value


def _refuse_misspelt(kind: type, document: object, text: str, source: str) -> None:
    """Raise BadDocument for the first value that is not spelled as its type requires."""
    for wrong in misspelt(kind, document):
        raise _at(wrong, text, source)


def _at(wrong: Misspelt, text: str, source: str) -> BadDocument:
    where = f"{source}:{line_of(text, wrong.place)}: {key_text(wrong.place)}"
    return BadDocument(where, wrong.problem, wrong.hint)


def _absurd(snapshot: Snapshot) -> Iterator[Misspelt]:
    """Numbers too large to be real."""
    for place, value in _numbers(snapshot):
        if abs(value) >= ABSURD:
            yield Misspelt(place, f"{value} is absurdly large", "is the decimal point where it belongs?")


def _senseless(snapshot: Snapshot) -> Iterator[Misspelt]:
    """Increments that are not positive and order counts that are negative."""
    for i, instrument in enumerate(snapshot.instruments):
        for name, increment in (("lot", instrument.lot), ("tick", instrument.tick)):
            if increment <= 0:
                hint = "write the smallest step that the broker takes"
                yield Misspelt(("instruments", i, name), f"{increment} is not above zero", hint)
    counts: list[tuple[Place, int]] = [(("day", "orders_sent"), snapshot.day.orders_sent)]
    counts += [(("day", "orders_sent_by_symbol", s), n) for s, n in snapshot.day.orders_sent_by_symbol.items()]
    for at, count in counts:
        if count < 0:
            yield Misspelt(at, f"{count} is below zero", "write how many orders were sent today")


def _repeated(snapshot: Snapshot) -> Iterator[Misspelt]:
    """Duplicate rows for one symbol, of which all but one would be dropped silently."""
    for key in ("positions", "instruments", "quotes"):
        first: dict[str, int] = {}
        for i, row in enumerate(getattr(snapshot, key)):
            before = first.setdefault(row.symbol, i)
            if before != i:
                yield Misspelt((key, i, "symbol"), f"{row.symbol} is in {key}[{before}] too", "keep one of the rows")


def _without_zone(snapshot: Snapshot) -> Iterator[Misspelt]:
    for place, moment in _moments(snapshot):
        if moment.tzinfo is None:
            yield Misspelt(place, f"{moment.isoformat()} has no time zone", "write times as 2026-11-20T15:35:00Z")


def _moments(snapshot: Snapshot) -> list[tuple[tuple[str | int, ...], datetime]]:
    found: list[tuple[tuple[str | int, ...], datetime]] = [
        (("as_of",), snapshot.as_of),
        (("session", "open"), snapshot.session.open),
        (("session", "close"), snapshot.session.close),
    ]
    found += [(("quotes", i, "at"), quote.at) for i, quote in enumerate(snapshot.quotes)]
    found += [(("stopped_out", symbol), moment) for symbol, moment in snapshot.stopped_out.items()]
    found += [(("stop_exits", symbol), moment) for symbol, moment in (snapshot.stop_exits or {}).items()]
    found += [(("signals", i, "issued_at"), signal.issued_at) for i, signal in enumerate(snapshot.signals)]
    return found


def _located(error: ValidationError, text: str, source: str) -> BadDocument:
    first = error.errors(include_url=False)[0]
    place = tuple(part for part in first["loc"] if isinstance(part, (str, int)))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    hint = "add this key" if first["type"].startswith("missing") else "write a value of the kind that is asked for"
    return BadDocument(f"{source}:{line_of(text, place)}: {key_text(place)}", first["msg"] + more, hint)
