"""JSON: target weights of schema `rebalancer.targets/1`, rows, alerts, portfolios; and JSON Lines.

{"schema": "rebalancer.targets/1", "as_of": "2026-11-20", "complete": false, "weights_of": "equity",
 "targets": [{"symbol": "SPY", "weight": "0.60"}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.ops.csv_table import check_names
from rebalancer.signals.formats.cells import moment_of
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.portfolio import is_portfolio, read_portfolio
from rebalancer.signals.formats.recognise import OPINION, SYMBOL, WEIGHT
from rebalancer.signals.formats.signal_file import SeveralReadings, SignalFile
from rebalancer.signals.formats.targets import SKEW, Given, checked
from rebalancer.signals.formats.tradingview import is_alert, read_alerts
from rebalancer.signals.signal_row import BadCell

TARGETS_SCHEMA: Final = "rebalancer.targets/1"
_KEYS: Final = ("schema", "as_of", "complete", "close_all", "weights_of", "targets")
_ROW_KEYS: Final = ("symbol", "weight", "source")


def read_document(
    document: object, place: str, source: str, now: datetime, written_at: datetime, ahead: timedelta
) -> SignalFile | None:
    """Read a JSON value; None when it holds rows of scores, or nothing that is known here. Raises BadDocument for what
    has two meanings."""
    if isinstance(document, Mapping):
        if "schema" in document or "targets" in document:
            return _targets(document, place, source, now)
        if is_portfolio(document):
            return read_portfolio(document, place, source, None)
        if is_alert(document):
            return read_alerts([(1, document)], source, written_at, ahead)
        if document and "signals" not in document and all(_is_number(value) for value in document.values()):
            both = SeveralReadings("the file", "target weights by symbol", "scores by symbol")
            raise BadDocument(place, str(both), f'write {{"schema": "{TARGETS_SCHEMA}", "targets": [...]}}')
        return None
    if isinstance(document, list):
        return read_items(list(enumerate(document, 1)), place, source, written_at, ahead)
    return None


def read_items(
    items: Sequence[tuple[int, object]], place: str, source: str, written_at: datetime, ahead: timedelta
) -> SignalFile | None:
    """Read the items of a list or of JSON Lines, each with its row or line: alerts or target weights; None for
    scores."""
    rows = [(line, item) for line, item in items if isinstance(item, Mapping)]
    if not rows or len(rows) != len(items):
        return None
    if any(is_alert(item) for _, item in rows):
        return read_alerts(rows, source, written_at, ahead)
    keys = {str(key).lower() for _, row in rows for key in row}
    if not keys & set(WEIGHT):
        return None
    if keys & set(OPINION):
        both = SeveralReadings("the file", "target weights, by its weights", "scores, by its scores or confidences")
        raise BadDocument(place, str(both), "keep the fields of one of both")
    given = [Given(line, *_pair(row, f"{place}: row {line}"), str(row.get("source") or source)) for line, row in rows]
    return checked(given, "targets_long", Grid((), (), place), ".")


def _pair(row: Mapping[str, object], place: str) -> tuple[str | None, str | int | float | None]:
    """Symbol and weight of a row, under any of their names."""
    names = {str(key).lower(): key for key in row}
    check_names(list(names), place, (*SYMBOL, *WEIGHT, "source"))
    symbol, weight = (next((row[names[n]] for n in known if n in names), None) for known in (SYMBOL, WEIGHT))
    return symbol if isinstance(symbol, str) else None, weight if isinstance(weight, (str, int, float)) else None


def _targets(document: Mapping[str, object], place: str, source: str, now: datetime) -> SignalFile:
    if document.get("schema") != TARGETS_SCHEMA:
        shown = str(document.get("schema"))[:40]
        raise BadDocument(f"{place}: schema", f"{shown!r} is unknown", f'write "schema": "{TARGETS_SCHEMA}"')
    check_names([str(key) for key in document], place, _KEYS)
    targets = document.get("targets")
    if not isinstance(targets, list) or not all(isinstance(row, Mapping) for row in targets):
        raise BadDocument(f"{place}: targets", "is not a list of targets", '[{"symbol": "SPY", "weight": "0.60"}]')
    for name in ("complete", "close_all"):
        if not isinstance(document.get(name, False), bool):
            raise BadDocument(f"{place}: {name}", "is neither true nor false", "write true or false, without quotes")
    notes = {name: str(document[name]).lower() for name in ("complete", "close_all") if name in document}
    if document.get("weights_of") is not None:
        notes["weights_of"] = str(document["weights_of"])
    given = []
    for row, target in enumerate(targets, 1):
        check_names([str(key) for key in target], f"{place}: targets[{row - 1}]", _ROW_KEYS)
        given.append(Given(row, *_pair(target, place), str(target.get("source") or source)))
    as_of = _as_of(document, place, now)
    return checked(given, "targets_long", Grid((), (), place, notes=notes), ".", as_of, exact=True)


def _as_of(document: Mapping[str, object], place: str, now: datetime) -> datetime | None:
    if document.get("as_of") is None:
        return None
    try:
        moment = moment_of(str(document["as_of"]), "as_of")
    except BadCell as error:
        raise BadDocument(f"{place}: as_of", error.problem, error.hint) from None
    if moment > now + SKEW:
        raise BadDocument(f"{place}: as_of", f"{moment.isoformat()} is in the future", "leave it out, or correct it")
    return moment


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def parsed(text: str, place: str) -> object:
    """A strict JSON value. Raises BadDocument with the line."""
    return read_json(text, place)
