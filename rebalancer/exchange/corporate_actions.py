"""Corporate actions as the state file keeps them, and what they do to prices."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange.calendar import SessionTable
from rebalancer.exchange.market.prices import Adjustment
from rebalancer.exchange.matching import NEVER
from rebalancer.exchange.store import Store


class CorporateAction(NamedTuple):
    """A cash dividend of `rate` USD a share, or a split of `old` into `new` shares. Days are ordinals."""

    id: str
    symbol: str
    kind: Literal["dividend", "split"]
    ex_day: int
    pay_day: int
    rate: Decimal = ZERO
    new: int = 1
    old: int = 1
    entitled: Decimal = ZERO  # shares held at the ex-date, negative when short
    state: Literal["announced", "effective", "done"] = "announced"
    declared_day: int = 0  # from when on it is public


def actions(store: Store) -> list[CorporateAction]:
    """All announced actions by ex-date."""
    return sorted((_from(*row) for row in store.corporate_actions()), key=lambda a: (a.ex_day, a.id))


def adjustments(announced: Iterable[CorporateAction]) -> dict[str, list[Adjustment]]:
    """What the actions do to prices, by symbol."""
    found: dict[str, list[Adjustment]] = {}
    for action in announced:
        row = Adjustment(action.ex_day, action.old / action.new, float(action.rate))
        found.setdefault(action.symbol, []).append(row)
    return found


def next_effect(announced: Iterable[CorporateAction], sessions: SessionTable) -> int:
    """The open at which the next action becomes effective, far away when there is none."""
    days = [a.ex_day for a in announced if a.state == "announced"]
    if not days:
        return NEVER
    return sessions.between(min(days), min(days))[0].open


def _from(identity: str, symbol: str, kind: str, ex_day: int, pay_day: int, body: str) -> CorporateAction:
    row = json.loads(body)
    assert kind in ("dividend", "split")
    found: Literal["dividend", "split"] = "dividend" if kind == "dividend" else "split"
    rate, entitled = Decimal(row["rate"]), Decimal(row["entitled"])
    declared_on = row.get("declared", 0)  # files of earlier versions: public since ever
    return CorporateAction(
        identity, symbol, found, ex_day, pay_day, rate, row["new"], row["old"], entitled, row["state"], declared_on
    )
