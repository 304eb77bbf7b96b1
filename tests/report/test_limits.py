"""The limits as they are shown: what stops trading is on top, and what nobody uses is left out."""

from __future__ import annotations

import pytest

from rebalancer.core.decisions import LimitUse
from rebalancer.core.limits import LimitKind, limit_kind
from rebalancer.report.limits import limit_row, shown_limits
from rebalancer.report.words import Word


def test_what_stops_trading_comes_first_and_unused_groups_are_counted() -> None:
    def use(name: str, after: float) -> LimitUse:
        return LimitUse(name, 0.4, 0.0, after, binds=False)

    given = [use("gross", 0.1), use("sector:Energy", 0.0), use("correlation:g1", 0.3), use("sector:Retail", 0.2),
             use("daily_loss", 0.0), use("drawdown", 0.1), use("correlation:g2", 0.0),
             use("sector:Staples", 0.19)]  # fmt: skip
    found = shown_limits(given)
    assert [r.name for r in found.first] == ["drawdown", "daily_loss", "correlation:g1", "sector:Retail", "gross"]
    assert [r.name for r in found.quiet] == ["sector:Staples"]
    assert found.idle == 2


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("sector:Wheat", LimitKind.WEIGHT, ("% of capital", "30.00", "29.00", "free")),
        ("sector:Glossy", LimitKind.WEIGHT, ("% of capital", "30.00", "29.00", "free")),
        ("sector:Reorders", LimitKind.WEIGHT, ("% of capital", "30.00", "29.00", "free")),
        ("position:LOSS", LimitKind.WEIGHT, ("% of capital", "30.00", "29.00", "free")),
        ("anything", LimitKind.LOSS, ("% of equity", "30.00", "29.00", "near")),
        ("anything", LimitKind.ORDERS, ("orders", "0", "0", "near")),
        ("anything", LimitKind.POSITIONS, ("positions", "0", "0", "free")),
    ],
)
def test_the_kind_of_a_limit_says_its_unit_and_never_its_name(
    name: str, kind: LimitKind, expected: tuple[str, str, str, str]
) -> None:
    row = limit_row(LimitUse(name, 0.3, 0.0, 0.29, False, kind))
    assert (row.unit, row.limit_text, row.after_text, row.word.text) == expected


def test_a_plan_of_edition_1_states_no_kind_and_its_whole_name_decides() -> None:
    names = ("gross", "sector:Glossy", "position:LOSS", "daily_loss", "drawdown", "orders_per_day", "positions")
    assert [limit_kind(None, name) for name in names] == ["weight"] * 3 + ["loss"] * 2 + ["orders", "positions"]
    assert limit_kind("loss", "sector:Glossy") is LimitKind.LOSS


def test_a_limit_that_is_used_up_is_not_called_free() -> None:
    rows = [limit_row(LimitUse("orders_per_execution", 10, 0, used, False, LimitKind.ORDERS)).word for used in (9, 10)]
    assert rows == [Word("✔", "free", "ok"), Word("■", "used up", "")]
