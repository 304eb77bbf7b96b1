"""The live view in a terminal, for `status --watch`: the figures of the page, in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from rebalancer.report.columns import TableRow, paint, table, wrap
from rebalancer.report.live.records import LiveAccount, LiveState, LiveView
from rebalancer.report.numbers import NONE, amount_of, clock_text, day_text, hour_text, span_text
from rebalancer.report.sources import source_line
from rebalancer.report.visible import visible, visible_symbol
from rebalancer.report.words import MODE_NAME, limit_name

STATE_WORD: Final[dict[LiveState, tuple[str, str, str]]] = {
    LiveState.TRADING: ("●", "trading", "ok"),
    LiveState.AT_REST: ("✔", "at rest", "ok"),
    LiveState.HALTED: ("✘", "halted", "bad"),
    LiveState.UNATTENDED: ("○", "no session", "warn"),
    LiveState.NOTHING_YET: ("○", "nothing yet", "idle"),
}
ROWS_MAX: Final = 60
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_SPARK: Final = 60


def live_text(view: LiveView, *, width: int | None, colour: bool) -> str:
    """All accounts, one below the other."""
    return "\n".join("\n".join(_account(account, width, colour)) + "\n" for account in view.accounts)


def age_text(at: datetime | None, now: datetime) -> str:
    """How old something is by the account's clock; a dash when it is not known."""
    if at is None:
        return NONE
    seconds = max(int((now - at).total_seconds()), 0)
    return f"{seconds} s ago" if seconds < 10 else f"{span_text(seconds)} ago"


def until_text(at: datetime, now: datetime) -> str:
    """How long until something is due by the account's clock."""
    left = int((at - now).total_seconds())
    if left < 1:
        return "due"
    return f"in {left} s" if left < 10 else f"in {span_text(left)}"


def sparkline(values: Sequence[Decimal]) -> str:
    """The course of some values in one line of blocks, the last of each part; empty below two."""
    if len(values) < 2:
        return ""
    kept = [values[(i + 1) * len(values) // _SPARK - 1] for i in range(_SPARK)] if len(values) > _SPARK else values
    low, high = min(kept), max(kept)
    return "".join(_BLOCKS[int((v - low) / (high - low) * 7) if high > low else 0] for v in kept)


def _account(a: LiveAccount, width: int | None, colour: bool) -> Iterator[str]:
    mark, word, tone = STATE_WORD[a.state]
    name = " ".join(part for part in (visible(a.name, 40), MODE_NAME[a.mode], a.account_id) if part)
    yield paint(f"{name}   {mark} {word}", tone, colour)
    yield from wrap(a.sentence, width)
    head = f"journal row {a.head.seq:,} {a.head.hash[:8] or NONE}, {age_text(a.head.at, a.now)}"
    yield paint(f"{head}; {day_text(a.now)} {clock_text(a.now)} ET", "idle", colour)
    for item in a.needs:
        mark = "✘" if item.level == "act" else "!"
        said = f"{mark} {item.title}: {item.text}" + (f"  {item.command}" if item.command else "")
        yield from (
            paint(line, "bad" if item.level == "act" else "warn", colour) for line in wrap(said, width, "  ", "")
        )
    yield ""
    rows = [TableRow((f.label, f.figure.text, age_text(f.at, a.now))) for f in a.figures]
    yield from table(("account", "", "as of"), "<>>", rows, width=width, colour=colour)
    course = sparkline([point.equity for point in a.equity_today])
    if course:
        yield from wrap(f"equity today  {course}  {len(a.equity_today)} values", width)
    yield from wrap(f"next  {_next(a)}", width, "      ", "")
    yield from _tables(a, width, colour)


def _next(a: LiveAccount) -> str:
    if a.next_at is None:
        return f"{NONE}   {visible(a.next_hint)}"
    here = f" ({a.next_here} local)" if a.next_here else ""
    due = f"{day_text(a.next_at)} {hour_text(a.next_at)} ET{here}, {until_text(a.next_at, a.now)}"
    return f"{due}   {visible(a.next_hint)}".rstrip()


def _tables(a: LiveAccount, width: int | None, colour: bool) -> Iterator[str]:
    yield from _table(
        f"positions, {age_text(a.positions_at, a.now)}; prices and targets {age_text(a.planned_at, a.now)}",
        ("symbol", "shares", "price USD", "value", "weight", "target", "drift", "band"), "<>>>>>>>",
        [
            TableRow((
                visible_symbol(p.symbol), p.qty.text, p.price.text, p.value.text, p.weight.text, p.target.text,
                p.drift.text + ("!" if p.is_outside else " "), p.band.text,
            ))
            for p in a.positions
        ], width, colour,
    )  # fmt: skip
    yield from _table(
        "orders of today", ("symbol", "side", "filled", "planned", "fill USD", "changed", "state"), "<<>>>><",
        [
            TableRow(
                (visible_symbol(o.symbol), o.side, o.filled.text, o.planned.text, o.fill_price.text,
                 age_text(o.at, a.now), str(o.word)),
                o.word.tone, (o.because,) if o.because else (),
            )
            for o in a.orders
        ], width, colour,
    )  # fmt: skip
    yield from _table(
        f"signals of the last plan, {age_text(a.planned_at, a.now)}",
        ("symbol", "source", "score", "confidence", "age", "outcome"), "<<>>><",
        [
            TableRow(
                (visible_symbol(s.symbol), visible(s.source, 24), s.view or s.score.text, s.confidence.text,
                 age_text(s.issued_at, a.now), str(s.word or NONE)),
                s.word.tone if s.word else "", (s.because,) if s.because else (),
            )
            for s in a.signals
        ], width, colour,
    )  # fmt: skip
    yield from _table(
        "limits", ("limit", "used", "of", "left", "share", "as of", "state"), "<>>>>><",
        [
            TableRow(
                (limit_name(m.name), m.used.text, m.limit.text, m.left.text, m.share.text, age_text(m.at, a.now),
                 str(m.word)), m.word.tone,
            )
            for m in a.limits
            if not m.is_quiet
        ], width, colour,
    )  # fmt: skip
    quiet = sum(m.is_quiet for m in a.limits)
    if quiet:
        yield f"  and {amount_of(quiet, 'group')} less than half used"
    for row in a.sources:
        yield from wrap(f"source {visible(row.name, 30)}  {source_line(row)}", width, "  ", "")
    for regime in a.regimes:
        yield from wrap(
            f"regime {visible(regime.name, 30)}  {regime.text}, {age_text(regime.at, a.now)}", width, "  ", ""
        )
    for alarm in a.alarms:
        tone = {"action": "bad", "warning": "warn"}.get(alarm.level, "idle")
        said = f"alarm  {alarm.level} {alarm.code}: {alarm.text} ({age_text(alarm.at, a.now)}, {alarm.delivery})"
        yield from (paint(line, tone, colour) for line in wrap(said, width, "  ", ""))
        if alarm.level == "action":
            yield from wrap(f"to do: {alarm.runbook.to_do}", width, "    ", "    ")


def _table(
    title: str,
    head: Sequence[str],
    align: str,
    rows: Sequence[TableRow],
    width: int | None,
    colour: bool,
) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield paint(title, "bold", colour)
    yield from table(head, align, rows[:ROWS_MAX], width=width, colour=colour)
    if len(rows) > ROWS_MAX:
        yield f"  and {len(rows) - ROWS_MAX} more; rebalancer web shows them all"
