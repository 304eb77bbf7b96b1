"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.report import numbers as n

D = Decimal
NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (n.fixed(D("1234567.891"), 2), "1,234,567.89"),
        (n.fixed(-0.004, 2, sign=True), "0.00"),
        (n.fixed(D("-0"), 0), "0"),
        (n.fixed(3, 1, sign=True), "+3.0"),
        (n.fixed(NAN, 2), "–"),
        (n.fixed(INFINITY, 2), "–"),
        (n.fixed(None, 2), "–"),
        (n.money(D("-1234.5")), "−$1,234.50"),
        (n.money(D("12"), sign=True), "+$12.00"),
        (n.money(None), "–"),
        (n.percent(0.0113, sign=True), "+1.13 %"),
        (n.percent(D("-0.091"), 1), "−9.1 %"),
        (n.points(-0.023, 1), "−2.3 pp"),
        (n.basis_points(D("0.5"), D("1000")), "+5.0"),
        (n.basis_points(None, D(1)), "–"),
        (n.basis_points(D(1), D(0)), "–"),
        (n.shares(D("1234.500")), "1,234.5"),
        (n.shares(D("1E+3")), "1,000"),
        (n.shares(D("-7")), "−7"),
        (n.shares(D("0.000")), "0"),
        (n.price(D("178.88")), "178.88"),
        (n.price(D("0.12345")), "0.1234"),
        (n.price(D("5")), "5.00"),
        (n.amount_of(1, "order"), "1 order"),
        (n.amount_of(1200, "buy"), "1,200 buys"),
        (n.span_text(0.42), "0.42 s"),
        (n.span_text(31.4), "31 s"),
        (n.span_text(600), "10 min"),
        (n.span_text(14_400), "4 h"),
        (n.span_text(300_000), "3 d"),
        (n.masked("PA3XK81L7Q2"), "••••7Q2"),
        (n.masked("ab"), "••••"),
        (n.masked(""), "••••"),
    ],
)
def test_table(shown: str, expected: str) -> None:
    assert shown == expected


def test_both_clocks_follow_daylight_saving_time() -> None:
    winter, summer = datetime(2026, 11, 20, 15, 35, 2, tzinfo=UTC), datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
    assert n.both_clocks(winter) == "Fri 2026-11-20 10:35:02 ET (15:35:02 UTC)"
    assert n.both_clocks(summer) == "Tue 2026-06-30 22:00:00 ET (02:00:00 UTC)"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_shares_lose_nothing(value: D) -> None:
    assert D(n.shares(value).replace(",", "").replace("−", "-")) == value


@given(st.text(min_size=1, max_size=40))
def test_a_mask_shows_at_most_a_third(account: str) -> None:
    assert len(n.masked(account)) - 4 <= min(3, len(account) / 3)
