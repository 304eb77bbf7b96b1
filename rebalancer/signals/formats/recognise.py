"""What the columns of a grid mean. A grid that fits two meanings is refused with both; one that fits none has None.

targets_long    symbol, weight (or percent), and a date if need be
targets_wide    a date, then one column for each symbol
pyfolio         the same in USD, with a column `cash`
alphalens       date, asset, factor
numerai         numerai_ticker, signal
scores          symbol, score or action, confidence
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.signals.formats.cells import Cell, cell_symbol, is_date_like
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.signal_file import SeveralReadings
from rebalancer.signals.signal_row import BadCell

GridFormat = Literal["targets_long", "targets_wide", "pyfolio", "alphalens", "numerai", "scores"]

SYMBOL: Final = ("symbol", "ticker", "asset", "instrument", "security")
WEIGHT: Final = ("weight", "weights", "target", "target_weight", "allocation", "target_allocation")
PERCENT: Final = (
    "percent", "pct", "%", "weight_%", "weight_pct", "weight_percent", "allocation_%", "weight_(%)", "allocation_(%)",
)  # fmt: skip
DATE: Final = ("date", "as_of", "asof", "datetime", "timestamp", "time", "index")
FACTOR: Final = ("factor",)
SCORE: Final = ("score", "action")
OPINION: Final = (*SCORE, "confidence")
NUMERAI: Final = ("numerai_ticker", "bloomberg_ticker")
NOTES: Final = (
    "name",
    "company",
    "description",
    "note",
    "notes",
    "comment",
    "sector",
)  # about a name, not about a weight
EITHER_PERCENT: Final = ("target_percent", "targetpercent", "target_pct")  # a fraction in zipline and vectorbt
_CASH: Final = "cash"


class FileColumns(NamedTuple):
    """The format of a grid, and the places of its columns by meaning: symbol, weight, percent, date, source, value."""

    format: GridFormat
    places: Mapping[str, int]


def recognise(grid: Grid) -> FileColumns | None:
    """The meaning of the columns; None when they have none that is known here. Raises BadDocument for two meanings, for
    a column that stands twice, and for one that none of the meanings has."""
    names = grid.names()
    at = {meaning: _places(names, known) for meaning, known in _MEANINGS.items()}
    where = f"{grid.place}:{grid.header}"
    _refuse_repeated(names, at, where)
    if _is_wide(grid, names, at):
        return _wide(names)
    if not at["symbol"] and at["weight"] and names and names[0] == "" and grid.rows:
        at["symbol"] = [0]  # the index of a frame without a name
    if at["either_percent"] and (at["symbol"] or names[:1] == ("",)):
        name = grid.columns[at["either_percent"][0]]
        both = SeveralReadings(f"the column {name}", "fractions, as in 0.25", "per cent, as in 25")
        raise BadDocument(where, str(both), "call it weight for fractions, or percent")
    weights = at["weight"] or at["percent"]
    if at["numerai"] or (names == ("ticker", "signal")):
        return _numerai(names, where)
    if at["symbol"] and "signal" in names and not weights and not at["opinion"]:
        both = SeveralReadings("the column signal", "Numerai's, from 0 to 1", "a score from -1 to 1")
        raise BadDocument(where, str(both), "call its symbols numerai_ticker, or call it score and add a confidence")
    if at["symbol"] and weights and at["opinion"]:
        both = SeveralReadings("the file", "target weights, by its weights", "scores, by its scores or confidences")
        raise BadDocument(where, str(both), "keep the columns of one of both")
    if at["symbol"] and at["date"] and at["factor"]:
        return _alphalens(at)
    if (
        at["symbol"]
        and at["date"]
        and names[at["symbol"][0]] in ("asset", "instrument")
        and len(names) == 3
        and not weights
    ):
        return _alphalens(at)
    if at["symbol"] and at["date"] and "score" in names and "confidence" not in names:
        both = SeveralReadings("the file", "a factor, to be ranked", "scores whose confidence is missing")
        raise BadDocument(where, str(both), "call the column factor, or add a confidence")
    if at["symbol"] and weights:
        return _long(grid, names, at, where)
    if at["opinion"] and at["symbol"]:
        return FileColumns("scores", {"symbol": at["symbol"][0]})
    if len(names) == 2 and (at["symbol"] or names[0] == "") and (names[1] in ("0", "value", "")):
        both = SeveralReadings("the file", "target weights", "scores")
        raise BadDocument(where, str(both), "call the column weight, or score with a confidence beside it")
    return None


_MEANINGS: Final[Mapping[str, Sequence[str]]] = {
    "symbol": SYMBOL, "weight": WEIGHT, "percent": PERCENT, "date": (*DATE, "issued_at"), "factor": FACTOR,
    "opinion": OPINION, "numerai": NUMERAI, "either_percent": EITHER_PERCENT,
}  # fmt: skip

_Places = dict[str, list[int]]


def _places(names: Sequence[str], known: Sequence[str]) -> list[int]:
    return [i for i, name in enumerate(names) if name in known]


def _refuse_repeated(names: Sequence[str], at: _Places, where: str) -> None:
    """Refuse two columns of one meaning."""
    for meaning in ("symbol", "weight", "percent", "date", "factor"):
        found = at[meaning]
        if meaning == "date" and found[:1] == [0] and names[0] == "index":
            found = found[1:]  # a counter of rows
        if len(found) > 1:
            two = SeveralReadings(f"the {meaning}", f"the column {names[found[0]]}", f"the column {names[found[1]]}")
            raise BadDocument(where, str(two), "keep one of them")
    if at["weight"] and at["percent"]:
        weight, percent = names[at["weight"][0]], names[at["percent"][0]]
        two = SeveralReadings("the weight", f"fractions in the column {weight}", f"per cent in the column {percent}")
        raise BadDocument(where, str(two), "keep one of them")


def _is_wide(grid: Grid, names: Sequence[str], at: _Places) -> bool:
    """Whether the first column holds dates and every other one is headed by a symbol."""
    if len(names) < 2 or at["symbol"] or at["numerai"]:
        return False
    first = [cell for cell in grid.column(0) if cell is not None]
    if not (names[0] in DATE or (names[0] in ("", "unnamed:_0") and first and all(map(is_date_like, first)))):
        return False
    words = set(WEIGHT + PERCENT + FACTOR + OPINION)
    return not any(name in words for name in names[1:])


def _wide(names: Sequence[str]) -> FileColumns:
    cash = [i for i, name in enumerate(names) if name == _CASH]
    return FileColumns("pyfolio" if cash else "targets_wide", {"date": 0} | ({"cash": cash[0]} if cash else {}))


def _numerai(names: Sequence[str], where: str) -> FileColumns:
    if len(names) != 2 or "signal" not in names:
        raise BadDocument(
            where, "is no file of Numerai Signals", "its columns are numerai_ticker and signal, no others"
        )
    value = names.index("signal")
    return FileColumns("numerai", {"symbol": 1 - value, "value": value})


def _alphalens(at: _Places) -> FileColumns:
    symbol, when = at["symbol"][0], at["date"][0]
    value = at["factor"][0] if at["factor"] else next(i for i in range(3) if i not in (symbol, when))
    return FileColumns("alphalens", {"symbol": symbol, "date": when, "value": value})


def _long(grid: Grid, names: Sequence[str], at: _Places, where: str) -> FileColumns:
    """The places of target weights; every other column must be a note."""
    places = {"symbol": at["symbol"][0]}
    places |= {"weight": at["weight"][0]} if at["weight"] else {"percent": at["percent"][0]}
    dates = [i for i in at["date"] if not (names[i] == "index" and _counts(grid.column(i)))]
    places |= {"date": dates[0]} if dates else {}
    places |= {"source": names.index("source")} if "source" in names else {}
    used = set(places.values())
    for i, name in enumerate(names):
        is_counter = name in ("", "unnamed:_0", "index") and _counts(grid.column(i))
        if i in used or name in NOTES or name.startswith(("x_", "x-")) or is_counter:
            continue
        hint = f"known: {', '.join((*SYMBOL, *WEIGHT, 'percent', *DATE, 'source'))}; notes begin with 'x-'"
        raise BadDocument(f"{where}: {grid.columns[i][:40]!r}", "unknown column beside target weights", hint)
    return FileColumns("targets_long", places)


def _counts(cells: Iterable[Cell]) -> bool:
    """Whether the cells are the numbers of rows: 0, 1, 2 ..."""
    return all(str(cell) == str(i) for i, cell in enumerate(cells))


def symbol_columns(
    grid: Grid, skipped: Sequence[int], read: Callable[[Cell, str], str] = cell_symbol
) -> dict[int, str]:
    """The symbol of every column but the skipped ones. Raises BadDocument for a name that is none, and for two columns
    of one symbol."""
    found: dict[int, str] = {}
    where = f"{grid.place}:{grid.header}"
    for i, column in enumerate(grid.columns):
        if i in skipped:
            continue
        try:
            symbol = read(column, "symbol")
        except BadCell as error:
            raise BadDocument(f"{where}: {column[:40]!r}", f"is no symbol: {error.problem}", error.hint) from None
        if symbol in found.values():
            raise BadDocument(f"{where}: {column[:40]!r}", f"{symbol} has two columns", "keep one of them")
        found[i] = symbol
    return found
