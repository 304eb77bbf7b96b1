"""The file of a sweep: options of the backtest, and the values that each key takes.

    backtest: {prices: prices.csv, targets: weights.csv}     # any option of `rebalancer backtest`
    grid:
      position_sizing.max_position_size: [0.05, 0.10, 0.15]
      risk_management:
        max_sector_exposure: {from: 0.2, to: 0.6, steps: 5}
      costs.half_spread_bps: [1, 5]

Values are read as in the configuration, with the line of each. `backtest.fill`, `backtest.rebalance`, `backtest.preset`
and the parts of `costs` are keys like those of the configuration. A range without steps is for `search` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.rules import Rules
from rebalancer.research.market import CostModel
from rebalancer.settings.convert import Leaf, read_node, unknown_key
from rebalancer.settings.document import Entry, Listing, Node, Scalar, YamlTable, read_file
from rebalancer.settings.kinds import Kind, kinds_of
from rebalancer.settings.origin import BadConfiguration, Origin, Problem

ROOT: Final = Kind("section", model=Rules)
COSTS: Final = {name: Kind("flag" if name == "fees" else "number") for name in CostModel._fields}
BACKTEST: Final = {name: Kind("text") for name in ("fill", "rebalance", "preset")}
BESIDE: Final[Mapping[str, Mapping[str, Kind]]] = {"costs": COSTS, "backtest": BACKTEST}
RANGE: Final = {"from", "to", "steps", "log"}
VALUES_MOST: Final = 1_000
OPTIONS: Final = {
    "prices", "targets", "signals", "actions", "preset", "from", "to", "fill", "rebalance", "equity", "no_costs",
    "half_spread", "impact", "participation", "interest", "borrow", "delisted", "delisted_after",
}  # fmt: skip


class GridAxis(NamedTuple):
    """One key and its values, in their order; `span` for a range without steps: from, to, on a logarithmic scale."""

    key: str
    values: tuple[Any, ...]
    span: tuple[float, float, bool] | None = None
    whole: bool = False


class GridFile(NamedTuple):
    """options: of the backtest, as texts. axes: in the order of the file."""

    path: Path
    options: Mapping[str, str]
    axes: tuple[GridAxis, ...]


def read_grid(path: Path) -> GridFile:
    """Read a sweep's file. Raises BadConfiguration, a BadDocument, naming every problem with line and key."""
    problems: list[Problem] = []
    table = read_file(path, problems)
    sections = {entry.key: entry for entry in table.entries}
    options, grid = sections.pop("backtest", None), sections.pop("grid", None)
    if grid is None and sections and all("." in key or key in kinds_of(Rules) for key in sections):
        grid = Entry("grid", table.origin, YamlTable(tuple(sections.values()), table.origin))
        sections = {}
    for entry in sections.values():
        problems.append(Problem(entry.origin, entry.key, "unknown section", "there are: backtest, grid"))
    axes = [] if grid is None else list(_axes(grid.value, "", problems))
    if not axes and not problems:
        problems.append(Problem(table.origin, "grid", "names no key", "grid: {signal_threshold: [0.1, 0.2]}"))
    found = {} if options is None else _options(options, problems)
    if problems:
        raise BadConfiguration(problems)
    return GridFile(path, found, tuple(axes))


def _options(entry: Entry, problems: list[Problem]) -> dict[str, str]:
    found = {}
    for one in entry.value.entries if isinstance(entry.value, YamlTable) else ():
        name = one.key.replace("-", "_")
        if name not in OPTIONS:
            known = ", ".join(sorted(OPTIONS))
            problems.append(
                Problem(one.origin, f"backtest.{one.key}", "is no option of a sweep", f"there are: {known}")
            )
        elif isinstance(one.value, Scalar):
            found[name] = one.value.text
        else:
            problems.append(Problem(one.origin, f"backtest.{one.key}", "must be one value"))
    if not isinstance(entry.value, YamlTable):
        problems.append(Problem(entry.origin, "backtest", "is no table of options", "backtest: {prices: p.csv}"))
    return found


def _axes(node: Node, parent: str, problems: list[Problem]) -> Iterator[GridAxis]:
    """Every key below a table, however deep it is written."""
    if not isinstance(node, YamlTable):
        problems.append(Problem(node.origin, parent or "grid", "must be keys with lists of values", "key: [1, 2]"))
        return
    for entry in node.entries:
        key = f"{parent}.{entry.key}".lstrip(".")
        if isinstance(entry.value, YamlTable) and not _is_range(entry.value):
            yield from _axes(entry.value, key, problems)
            continue
        kind = kind_at(key, entry.origin, problems)
        if kind is not None:
            axis = _axis(key, kind, entry, problems)
            if axis is not None:
                yield axis


def kind_at(key: str, origin: Origin, problems: list[Problem]) -> Kind | None:
    """The kind of value at a dotted key; None adds a problem."""
    section, _, name = key.partition(".")
    if section in BESIDE and name in BESIDE[section]:
        return BESIDE[section][name]
    if section in BESIDE:
        problems.append(Problem(origin, key, "unknown key", f"known here: {', '.join(BESIDE[section])}"))
        return None
    kind, done = ROOT, ""
    for part in key.split("."):
        known = {} if kind.model is None else kinds_of(kind.model)
        if kind.name == "mapping" and kind.item is not None:
            kind = kind.item
        elif part in known:
            kind = known[part]
        else:
            problems.append(unknown_key(origin, done, part, known))
            return None
        done = f"{done}.{part}".lstrip(".")
    if kind.name == "section":
        problems.append(Problem(origin, key, "names a section, not a key", "name a key below it"))
        return None
    return kind


def _is_range(table: YamlTable) -> bool:
    names = {entry.key for entry in table.entries}
    return {"from", "to"} <= names <= RANGE


def _axis(key: str, kind: Kind, entry: Entry, problems: list[Problem]) -> GridAxis | None:
    node = entry.value
    whole = kind.name in ("whole", "word_or_whole")
    if isinstance(node, YamlTable):
        return _range(key, kind, node, whole, problems)
    items = node.items if isinstance(node, Listing) else (node,)
    found = [read_node(item, kind, key, problems) for item in items]
    values = tuple(tuple(leaf.value) if isinstance(leaf.value, list) else leaf.value for leaf in found
                   if isinstance(leaf, Leaf))  # fmt: skip
    if not values or len(set(map(repr, values))) < len(values):
        what = "has no values" if not items else "has a value twice"
        if len(values) == len(items):
            problems.append(Problem(entry.origin, key, what, "write every value once: [0.1, 0.2]"))
        return None
    return GridAxis(key, values, whole=whole)


def _range(key: str, kind: Kind, table: YamlTable, whole: bool, problems: list[Problem]) -> GridAxis | None:
    texts = {entry.key: entry.value.text for entry in table.entries if isinstance(entry.value, Scalar)}
    try:
        low, high = Decimal(texts["from"]), Decimal(texts["to"])
        steps = None if "steps" not in texts else int(texts["steps"])
        if not low.is_finite() or not high.is_finite() or low >= high or (steps is not None and steps < 2):
            raise ValueError
        if steps is not None and steps > VALUES_MOST:
            raise ValueError
    except (InvalidOperation, ValueError, KeyError):
        hint = "{from: 0.1, to: 0.5, steps: 5}: from below to, 2 to 1,000 steps"
        problems.append(Problem(table.origin, key, "is no range", hint))
        return None
    log = texts.get("log", "false") == "true" and low > 0
    if steps is None:
        return GridAxis(key, (), (float(low), float(high), log), whole)
    parts = [low + (high - low) * n / (steps - 1) for n in range(steps)]
    values = []
    for part in parts:
        text = f"{round(part)}" if whole else f"{round(part, 9).normalize():f}"
        leaf = read_node(Scalar(text, True, table.origin), kind, key, problems)
        if isinstance(leaf, Leaf) and leaf.value not in values:
            values.append(leaf.value)
    return GridAxis(key, tuple(values), whole=whole) if values else None
