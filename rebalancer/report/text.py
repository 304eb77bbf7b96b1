"""What the terminal prints about a cycle: `run_table` after a run, `plan_table` after a dry run, `history_table`.

`width` is the terminal's, None for a pipe (uncut); `colour` adds colour but never meaning. Every function returns the
whole text, which ends with a line break. Nothing here needs more than the standard library, to keep start-up fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rebalancer.core.units import quantity_title
from rebalancer.report.attention import Attention, attention
from rebalancer.report.columns import GAP, TableRow, cells_wide, clip, paint, table, wrap
from rebalancer.report.explain import explain_text
from rebalancer.report.numbers import clock_text, day_text, fixed, hour_text, masked, price, shares
from rebalancer.report.records import RunRecord, RunSummary
from rebalancer.report.redact import redact
from rebalancer.report.status import status_text
from rebalancer.report.summary import sentence
from rebalancer.report.trades import NotTraded, TradeRow, not_traded, trades
from rebalancer.report.visible import visible, visible_symbol
from rebalancer.report.words import MODE_NAME, Word, cycle_word

__all__ = ["explain_text", "history_table", "plan_table", "run_table", "status_text"]

WIDE: Final = 100  # columns from which a table needs no shortening
BECAUSE_MAX: Final = 60  # characters of why a cycle without a plan ran, in a list of cycles


def run_table(record: RunRecord, *, width: int | None, colour: bool) -> str:
    """What a run did and why, what it did not do and why, and what needs a person."""
    record = redact(record)
    rows = [_sent(trade) for trade in trades(record)]
    head = ("symbol", "side", "filled", "decision", "fill", "value USD", "status")
    lines = _banner(record, width, colour)
    if rows:
        lines += ["", paint("Orders, reductions first", "bold", colour)]
        lines += table(head, "<<>>>><", rows, width=width, colour=colour)
    return _finish(record, lines, width, colour)


def plan_table(record: RunRecord, *, width: int | None, colour: bool) -> str:
    """What a cycle would do and why; nothing was sent."""
    record = redact(record)
    weights = {target.symbol: (target.held_weight, target.weight) for target in record.plan.targets}
    rows = [_planned(trade, weights.get(trade.line.symbol)) for trade in trades(record)]
    quantity = quantity_title(line.symbol for line in record.orders)
    head = ("symbol", "side", quantity, "price USD", "value USD", "now %", "target %")
    lines = _banner(record, width, colour)
    if rows:
        lines += ["", paint("Would trade, reductions first", "bold", colour)]
        lines += table(head, "<<>>>>>", rows, width=width, colour=colour)
    return _finish(record, lines, width, colour)


def history_table(cycles: Iterable[RunSummary], *, width: int | None, colour: bool) -> str:
    """Past cycles, one line each, in the order given."""
    rows = [_past(cycle, width) for cycle in cycles]
    if not rows:
        return "No cycle has run yet. Start one with: rebalancer run-now\n"
    head = ("day", "ET", "mode", "filled", "traded USD", "needs", "outcome")
    rows = _below(rows, head, width)
    return "\n".join(table(head, "<<<>>>" + "<", rows, width=width, colour=colour)) + "\n"


def _banner(record: RunRecord, width: int | None, colour: bool) -> list[str]:
    word = cycle_word(record.outcome)
    account = (
        masked(record.snapshot.account.id) if "•" not in record.snapshot.account.id else record.snapshot.account.id
    )
    when = f"{day_text(record.started_at)} {clock_text(record.started_at)} ET"
    first = clip(f"{MODE_NAME[record.mode]} {account}  {when}  {visible_symbol(record.snapshot.cycle_id)}", width)
    outcome = clip(str(word), width)
    return [paint(first, "bold", colour), paint(outcome, word.tone, colour), *wrap(sentence(record), width)]


def _sent(trade: TradeRow) -> TableRow:
    line = trade.line
    cells = (
        visible_symbol(line.symbol),
        "▲ buy" if line.side == "buy" else "▼ sell",
        shares(line.filled_qty) + ("" if line.filled_qty == line.planned_qty else f" of {shares(line.planned_qty)}"),
        price(line.arrival_price),
        price(line.filled_avg_price),
        fixed(trade.value, 2) if line.filled_qty else "–",
        str(trade.word),
    )
    return TableRow(cells, trade.word.tone, _paragraphs(trade.because, trade.note))


def _planned(trade: TradeRow, weights: tuple[float, float] | None) -> TableRow:
    line = trade.line
    now, target = weights or (None, None)
    cells = (
        visible_symbol(line.symbol),
        "▲ buy" if line.side == "buy" else "▼ sell",
        shares(line.planned_qty),
        price(line.arrival_price),
        fixed(line.planned_qty * line.arrival_price, 2),
        fixed(None if now is None else now * 100, 2),
        fixed(None if target is None else target * 100, 2),
    )
    return TableRow(cells, "", _paragraphs(trade.because, trade.note))


def _below(rows: Sequence[TableRow], head: Sequence[str], width: int | None) -> list[TableRow]:
    """Put the last cell in full on a line of its own in every row where it would be cut at this width."""
    if width is None:
        return list(rows)
    every = [tuple(head), *(row.cells for row in rows)]
    before = sum(max(cells_wide(cells[k]) for cells in every) + len(GAP) for k in range(len(head) - 1))
    space = width - before - len(GAP)
    return [
        row if cells_wide(row.cells[-1]) <= space else row._replace(cells=(*row.cells[:-1], ""), below=(row.cells[-1],))
        for row in rows
    ]


def _past(cycle: RunSummary, width: int | None) -> TableRow:
    """A past cycle as a row. On a narrow terminal the day is shown without its weekday."""
    word = cycle_word(cycle.outcome)
    day = day_text(cycle.started_at)
    cells = (
        day if width is None or width >= WIDE else day.partition(" ")[2],
        hour_text(cycle.started_at),
        MODE_NAME[cycle.mode],
        f"{cycle.filled} of {cycle.orders}",
        fixed(cycle.turnover, 2),
        f"✘ {cycle.needs}" if cycle.needs else "–",
        str(word) if cycle.cycle_id[:1].isdigit() else f"{word}  {visible(cycle.because, BECAUSE_MAX)}",
    )
    return TableRow(cells, word.tone)


def _paragraphs(*texts: str) -> tuple[str, ...]:
    return tuple(visible(text) for text in texts if text)


def _finish(record: RunRecord, lines: list[str], width: int | None, colour: bool) -> str:
    lines += _idle_lines(not_traded(record), width, colour)
    lines += _attention_lines(attention(record), width, colour)
    return "\n".join(lines) + "\n"


def _idle_lines(rows: Sequence[NotTraded], width: int | None, colour: bool) -> list[str]:
    """One line per outcome where nothing was to be done; all other signals with their own text."""
    if not rows:
        return []
    lines = ["", paint("Not traded", "bold", colour)]
    groups: dict[Word, list[NotTraded]] = {}
    for row in rows:
        groups.setdefault(row.word, []).append(row)
    for word, members in groups.items():
        if word.tone == "idle":
            names = ", ".join(visible_symbol(row.symbol) for row in members)
            lines += wrap(f"{word}: {names}", width, "    ", "  ")
        else:
            lines += [paint(clip(f"  {word}", width), word.tone, colour)]
            for row in members:
                lines += wrap(f"{visible_symbol(row.symbol)}: {visible(row.because)}", width, "      ", "    ")
    return lines


def _attention_lines(items: Sequence[Attention], width: int | None, colour: bool) -> list[str]:
    if not items:
        return []
    lines = ["", paint("Needs attention", "bold", colour)]
    for item in items:
        mark, tone = ("✘", "bad") if item.level == "act" else ("!", "warn")
        lines += [paint(text, tone, colour) for text in wrap(f"{mark} {item.title}", width, "    ", "  ")]
        lines += wrap(item.text, width, "    ")
        lines.append(clip(f"    → {item.command}", width))
    return lines
