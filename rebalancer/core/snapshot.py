"""The public `Snapshot`: the facts of one cycle, read from JSON or from pandas frames and written as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, get_type_hints

from rebalancer.core import facts
from rebalancer.core.codec import read_snapshot, snapshot_text
from rebalancer.core.documents import canonical_json, plain
from rebalancer.core.values import decimal_near, text_of, time_text

if TYPE_CHECKING:
    from pandas import DataFrame


class Snapshot(facts.Snapshot):
    """All inputs of a plan; its fields are those of `core.facts.Snapshot`."""

    __slots__ = ()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a `rebalancer.snapshot/1` document. Raises BadDocument naming line and key."""
        return cls._make(read_snapshot(text))

    @classmethod
    def from_frames(
        cls,
        *,
        cycle_id: str,
        as_of: datetime,
        session: facts.Session | Mapping[str, object],
        account: facts.Account | Mapping[str, object],
        positions: DataFrame | None = None,
        open_orders: DataFrame | None = None,
        instruments: DataFrame | None = None,
        quotes: DataFrame | None = None,
        signals: DataFrame | None = None,
        **others: object,
    ) -> Self:
        """Build a snapshot from pandas frames with one row per position, order, instrument, quote or signal.

        Columns are named like the fields of `core.facts`; `symbol` may be the index. A missing value (NaN, NaT, None)
        is an absent field. Floats in exact fields become their shortest decimal; times need a time zone. others: any
        other field of the snapshot, such as `day` or `expected_positions`. Raises BadDocument naming row and field, as
        `from_json` does.
        """
        frames = {
            "positions": (facts.Position, positions),
            "open_orders": (facts.OpenOrder, open_orders),
            "instruments": (facts.Instrument, instruments),
            "quotes": (facts.Quote, quotes),
            "signals": (facts.Signal, signals),
        }
        document: dict[str, Any] = {
            "schema": facts.SNAPSHOT_SCHEMA,
            "cycle_id": cycle_id,
            "as_of": time_text(as_of),
            "session": plain(session),
            "account": plain(account),
            **{name: plain(value) for name, value in others.items()},
        }
        for name, (kind, frame) in frames.items():
            document[name] = [] if frame is None else list(_rows(kind, frame))
        return cls.from_json(canonical_json(document))

    def to_json(self) -> str:
        """The canonical text, as stored and hashed: sorted keys, no spaces. `from_json` reads it back."""
        return snapshot_text(self)


def _rows(kind: type, frame: DataFrame) -> Iterator[Mapping[str, object]]:
    hints = get_type_hints(kind)
    if frame.index.name in hints:
        frame = frame.reset_index()
    missing = frame.isna()
    for place in range(len(frame)):
        yield {
            str(name): _plain_cell(hints.get(str(name)), frame[name].iloc[place])
            for name in frame.columns
            if not missing[name].iloc[place]
        }


def _plain_cell(hint: object, cell: Any) -> object:
    """A cell as plain JSON. A NumPy scalar becomes Python's; a number in an exact field its shortest decimal text."""
    value = plain(cell.item() if type(cell).__module__ == "numpy" else cell)
    if isinstance(value, float) and hint in (Decimal, Decimal | None):
        return text_of(decimal_near(value))
    return value
