"""The charts that the pages of runs and of periods share: the course of a day with its orders, slippage, allocation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from rebalancer.core.values import ZERO
from rebalancer.report.allocation import Weights, by_sector, by_symbol
from rebalancer.report.charting.axis import hours_axis, market_hours
from rebalancer.report.charting.bars import Bin, Heads, RowBar, histogram, row_chart
from rebalancer.report.charting.lines import Line, Lines, Marks, line_chart
from rebalancer.report.charting.points import Spot, scatter_chart
from rebalancer.report.charting.records import Charted, Extra, NoChart
from rebalancer.report.numbers import clock_text, day_text, fixed, span_text
from rebalancer.report.records import OrderLine, Point, RunRecord
from rebalancer.report.visible import visible_symbol

BELOW: Final = "Below the high-water mark"
SLIPPAGE_STEPS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
SLIPPAGE_LEAST: Final = 3  # filled orders
SPAN_LEAST: Final = timedelta(minutes=10)  # of a day's readings; closer together, the line is a dot
BINS_MOST: Final = 16
ROWS_SHOWN: Final = 30  # rows of one picture; the others are in a second one behind a fold

ROWS_DRAWN: Final = 300  # rows in the page

Hours = tuple[tuple[datetime, datetime], ...]
Orders = Sequence[tuple[datetime, OrderLine]]  # with the moment of each


def charts_of_run(record: RunRecord) -> dict[str, Charted]:
    """The charts of the page of one cycle. The record must be redacted."""
    session, before = record.snapshot.session, record.snapshot.account.last_equity
    orders = [(line.sent_at or record.started_at, line) for line in record.orders]
    title, points = "Return since the last close, and orders of this run", record.through_the_day
    found: dict[str, Charted] = {}
    if len(points) > 1 and before > ZERO:
        found["equity"] = return_by_hour(title, points, before, ((session.open, session.close),), orders)
    elif record.mode != "dry_run":
        found["equity"] = NoChart(title, "Needs two cycles of this day; this is the first.")
    found |= allocation_charts(record)
    if sum(line.slippage is not None for line in record.orders) >= SLIPPAGE_LEAST:
        found |= slippage_charts(orders)
    return found


def return_by_hour(title: str, points: Sequence[Point], before: Decimal, hours: Hours, orders: Orders) -> Charted:
    """The equity at every point against that before them, and how far it was below its mark; orders on the line."""
    moments = [point.at for point in points]
    dot = one_dot(title, moments)
    if dot is not None:
        return dot
    below = Line(BELOW, [point.below for point in points], "percent", filled=True)
    return line_chart(
        title,
        hours_axis(moments, market_hours(moments, hours)),
        [
            Lines([Line("Return", [float(point.equity / before) - 1.0 for point in points])]),
            Lines([below], BELOW, "low"),
        ],
        marks=_marks(orders, moments),
        unit="reading",
    )


def one_dot(title: str, moments: Sequence[datetime]) -> NoChart | None:
    """What is said in place of a chart of a day whose readings are so close together that no line could be seen; None
    when they are not."""
    if len(moments) < 2 or moments[-1] - moments[0] >= SPAN_LEAST:
        return None
    least, span = (span_text(apart.total_seconds()) for apart in (SPAN_LEAST, moments[-1] - moments[0]))
    return NoChart(title, f"Needs readings {least} apart; these {len(moments)} are {span} apart.")


def _marks(orders: Orders, moments: Sequence[datetime]) -> Marks:
    """The filled orders by the first moment at or after their end; the last moment has what came later."""
    buys, sells = [0] * len(moments), [0] * len(moments)
    for sent, line in orders:
        if line.filled_qty:
            at = min(bisect_left(moments, line.ended_at or sent), len(moments) - 1)
            (buys if line.side == "buy" else sells)[at] += 1
    return Marks(buys, sells)


def slippage_charts(orders: Orders) -> dict[str, Charted]:
    """The slippage of every filled order against the price of its decision: by its value, and how many fell where."""
    spots = []
    for sent, line in orders:
        cost = line.slippage
        if cost is not None:
            bp = float(cost / (line.filled_qty * line.arrival_price)) * 10_000
            name = f"{day_text(sent)[-5:]} {clock_text(sent)} {visible_symbol(line.symbol)}"
            spots.append(Spot(name, float(line.fill_value), round(bp, 1), line.side))
    title = "Slippage of every order by its value"
    if not spots:
        return {"slippage": NoChart(title, "Needs a filled order of a plan; there is none.")}
    return {
        "slippage": scatter_chart(title, spots, ("usd", "cost_bp"), ("Order", "Value", "Slippage")),
        "slippage_bins": histogram(
            "Slippage: how many orders fell where",
            _bins([spot.up for spot in spots]),
            "cost_bp",
            Heads("Slippage", "Orders"),
            cost=True,
        ),
    }


def _bins(values: Sequence[float]) -> list[Bin]:
    """Bins of the smallest round width with which there are at most `BINS_MOST`."""
    low, high = min(values), max(values)
    step = next((s for s in SLIPPAGE_STEPS if high // s - low // s < BINS_MOST), (high - low) / (BINS_MOST - 1))
    places = [int(value // step) for value in values]
    return [Bin(n * step, (n + 1) * step, places.count(n)) for n in range(min(places), max(places) + 1)]


def allocation_charts(record: RunRecord) -> dict[str, Charted]:
    """The weights of all names and of all sectors: before, target, after; traded names first."""
    traded = {line.symbol for line in record.orders}
    rows = sorted(by_symbol(record), key=lambda row: row.name not in traded)  # stable: then by size
    known, found = record.account_after is not None, dict[str, Charted]()
    if not rows:
        return found
    found["allocation"] = _allocation("Weight of every name, of capital", rows[:ROWS_SHOWN], known)
    if len(rows) > ROWS_SHOWN:
        more, left = len(rows[ROWS_SHOWN:ROWS_DRAWN]), len(rows[ROWS_DRAWN:])
        beyond = f"; the JSON file has {left:,} besides" if left else ""
        title = f"Weight of {more} more names, of capital{beyond}"
        found["allocation_rest"] = _allocation(title, rows[ROWS_SHOWN:ROWS_DRAWN], known)
    found["allocation_sectors"] = _allocation(
        "Weight of every sector, of capital", by_sector(record, rows), known, sectors=True
    )
    return found


def _allocation(title: str, rows: Sequence[Weights], known: bool, *, sectors: bool = False) -> Charted:
    """known: the account was read after the orders."""
    bars = [
        RowBar(
            visible_symbol(row.name),
            row.latest,
            before=row.now if known else None,
            target=row.target,
            band=None if sectors else row.band,
            limit=row.band if sectors else None,
        )
        for row in rows
    ]
    drifts = [_drift(row, sectors=sectors) for row in rows]
    heads = Heads(
        "Sector" if sectors else "Symbol",
        "After" if known else "Now",
        "Before" if known else "",
        "Target",
        "" if sectors else "Band ±",
        "Limit" if sectors else "",
    )
    return row_chart(title, bars, "percent", heads, extra=Extra("Drift", "pp", tuple(drifts)))


def _drift(row: Weights, *, sectors: bool) -> str:
    if row.drift is None:
        return "–"
    outside = not sectors and row.band is not None and abs(row.drift) > row.band
    return fixed(row.drift * 100, 2, sign=True) + (" !" if outside else "")
