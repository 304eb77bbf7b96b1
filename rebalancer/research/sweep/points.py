"""The points of a sweep: one setting each, its identity, and the file of its result."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from rebalancer.core.documents import BadDocument, canonical_json
from rebalancer.core.input_file import read_json_file
from rebalancer.core.rules import Rules
from rebalancer.core.values import time_text
from rebalancer.ops.files import put_whole
from rebalancer.research.backtest import BacktestRequest
from rebalancer.research.sweep.grid_file import GridAxis
from rebalancer.research.trial_key import code_hash, config_hash, data_hash
from rebalancer.research.trial_ledger import Trial, TrialKey, packed, unpacked

SCHEMA: Final = "rebalancer.point/1"
FOLDER: Final = "points"
POINTS_MOST: Final = 1_000_000
Keys = Mapping[str, Any]


class SweepPoint(NamedTuple):
    """A setting. keys: the values that make it differ from the others. request: None where the rules refuse them, and
    `problem` says why."""

    keys: Keys
    key: TrialKey
    request: BacktestRequest | None
    problem: str = ""

    @property
    def id(self) -> str:
        """The name of its result."""
        return self.key.point


class PointResult(NamedTuple):
    """What came out. figures: as JSON numbers. problem: why there are none."""

    keys: Keys
    key: TrialKey
    at: datetime
    days: tuple[date, date, int] | None = None
    returns: tuple[float, ...] = ()
    figures: Mapping[str, float] = {}
    problem: str = ""

    def trial(self, kind: str) -> Trial | None:
        """Its line in the ledger; None where nothing came out."""
        if self.days is None:
            return None
        import numpy as np

        return Trial(self.at, kind, self.key, self.days, np.array(self.returns))


def count_of(axes: Sequence[GridAxis]) -> int:
    """The number of points of a grid. Raises BadDocument for a range without steps and for too many."""
    found = 1
    for axis in axes:
        if axis.span is not None:
            raise BadDocument(axis.key, "is a range without steps", "add steps, or let `rebalancer search` choose")
        found *= len(axis.values)
    if found > POINTS_MOST:
        raise BadDocument("grid", f"has {found:,} points, more than {POINTS_MOST:,}", "give fewer values, or search")
    return found


def every_setting(axes: Sequence[GridAxis]) -> Iterator[dict[str, Any]]:
    """All combinations, the last key changing fastest."""
    for values in itertools.product(*(axis.values for axis in axes)):
        yield {axis.key: value for axis, value in zip(axes, values, strict=True)}


class PointMaker:
    """Makes points of one base request; the data are hashed once."""

    def __init__(self, base: BacktestRequest) -> None:
        self._base, self._data, self._code = base, data_hash(base), code_hash()
        self._rules = base.rules.model_dump()

    def __call__(self, keys: Keys) -> SweepPoint:
        """The point with these values on top of the base request."""
        try:
            request = self._request(keys)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            return SweepPoint(keys, TrialKey(canonical_json(_shown(keys)), self._data, self._code), None, problem)
        return SweepPoint(keys, TrialKey(config_hash(request), self._data, self._code), request)

    def _request(self, keys: Keys) -> BacktestRequest:
        changes: dict[str, Any] = {}
        rules, costs = self._rules, self._base.costs
        for key, value in keys.items():
            section, _, name = key.partition(".")
            if section == "costs":
                costs = costs._replace(**{name: value})
            elif section == "backtest":
                changes[name] = value
            else:
                rules = _with(rules, key.split("."), value)
        if rules is not self._rules:
            changes["rules"] = Rules.model_validate(rules)
        return self._base._replace(costs=costs, **changes)


def _with(table: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    below = table.get(first)
    return {**table, first: _with(below if isinstance(below, Mapping) else {}, rest, value) if rest else value}


def write_result(folder: Path, result: PointResult) -> None:
    """Write the file of a result at once. Raises OSError."""
    days = None if result.days is None else [result.days[0].isoformat(), result.days[1].isoformat(), result.days[2]]
    document = {
        "schema": SCHEMA,
        "keys": _shown(result.keys),
        **result.key._asdict(),
        "at": time_text(result.at),
        "days": days,
        "figures": dict(result.figures),
        "returns": packed_tuple(result.returns),
        "problem": result.problem,
    }
    path = folder / FOLDER / f"{result.key.point}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    put_whole(path, f"{canonical_json(document)}\n".encode())


def read_result(folder: Path, point: SweepPoint) -> PointResult | None:
    """The result of a point; None where there is none, or none that can be read: it is computed then."""
    path = folder / FOLDER / f"{point.id}.json"
    if not path.exists():
        return None
    try:
        row = read_json_file(path)
        key = TrialKey(row["config"], row["data"], row["code"])
        if row["schema"] != SCHEMA or key != point.key:
            return None
        days = row["days"]
        return PointResult(
            point.keys,
            key,
            datetime.fromisoformat(row["at"]),
            None if days is None else (date.fromisoformat(days[0]), date.fromisoformat(days[1]), int(days[2])),
            tuple(unpacked(row["returns"]).tolist()),
            {str(name): float(value) for name, value in row["figures"].items()},
            str(row["problem"]),
        )
    except (BadDocument, KeyError, TypeError, ValueError, AttributeError):
        return None


def packed_tuple(returns: Sequence[float]) -> str:
    """Returns as text."""
    import numpy as np

    return packed(np.array(returns))


def shown(value: Any) -> Any:
    """A value of a key as JSON."""
    if isinstance(value, Decimal):
        return float(value)
    return list(value) if isinstance(value, tuple) else value


def _shown(keys: Keys) -> dict[str, Any]:
    return {key: shown(value) for key, value in keys.items()}
