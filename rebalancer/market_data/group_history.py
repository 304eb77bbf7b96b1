"""The stable correlation groups of this account from week to week, in a file of its own beside the journal: unlike the
day's reference data it outlives a change of the universe, which would begin the groups anew.

Without the file, or after another threshold, the groups begin anew from the closes at hand, a year of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.documents import BadDocument, read_json
from rebalancer.core.input_file import read_text
from rebalancer.market_data.stable_groups import Floats, StableGroups, groups_through
from rebalancer.ops.files import put_whole

NAME: Final = "correlation-groups.json"
SCHEMA: Final = "rebalancer.correlation-groups/1"
_log = logging.getLogger("rebalancer.world.reference")


class GroupHistory:
    """The stored groups of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def groups(self, closes: DailyCloses, today: date, threshold: float) -> Mapping[str, str]:
        """The groups at the end of the last week before `today`: for every name of the closes its group, called after
        its first member. A name without enough closes is absent. Names that are not asked for today keep theirs."""
        before = self._stored(threshold)
        days = [*(day for day in closes.days if day < today), today]
        found = groups_through(before, days, closes.symbols, _returns(closes, len(days) - 1), threshold)
        if found is None:
            return {}
        if found != before:
            if before is not None:
                found = found._replace(
                    of={s: g for s, g in before.of.items() if s not in closes.symbols} | dict(found.of),
                    wanted={s: g for s, g in before.wanted.items() if s not in closes.symbols} | dict(found.wanted),
                )
            self._store(found, threshold)
        return {symbol: group for symbol, group in found.named().items() if symbol in closes.closes}

    def _stored(self, threshold: float) -> StableGroups | None:
        try:
            body = read_json(read_text(self._path), str(self._path))
            if body["schema"] != SCHEMA or body["threshold"] != threshold:
                return None
            of, wanted = ({str(s): str(g) for s, g in body[name].items()} for name in ("of", "wanted"))
            return StableGroups(date.fromisoformat(body["week"]), of, wanted)
        except (OSError, BadDocument, AttributeError, KeyError, TypeError, ValueError):
            return None

    def _store(self, found: StableGroups, threshold: float) -> None:
        body = {
            "schema": SCHEMA,
            "threshold": threshold,
            "week": found.week.isoformat(),
            "of": dict(sorted(found.of.items())),
            "wanted": dict(sorted(found.wanted.items())),
        }
        try:
            put_whole(self._path, json.dumps(body).encode())
        except OSError as error:  # the groups begin anew tomorrow
            _log.warning("%s: cannot be written: %s", self._path, error.strerror)


def _returns(closes: DailyCloses, days: int) -> Floats:
    """Daily log returns, shape (days, symbols), each in the row of its day; NaN in the first row and beside gaps."""
    prices = np.array([closes.closes[s][:days] for s in closes.symbols], dtype=np.float64).reshape(-1, days)
    with np.errstate(invalid="ignore", divide="ignore"):
        moves = np.diff(np.log(prices), axis=1)
    return np.vstack([np.full((1, len(closes.symbols)), np.nan), moves.T]) if days else np.empty((0, len(prices)))
