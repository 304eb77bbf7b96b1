"""An edition in words: its title, its one sentence, what needs a person, and totals of its trades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import ZERO
from rebalancer.report.attention import Attention, attention, explain_command
from rebalancer.report.figures.figure import Figures
from rebalancer.report.numbers import Number, amount_of, clock_text, money
from rebalancer.report.period.figures import figures_of
from rebalancer.report.period.records import AlertRow, PeriodReport, SlotRow
from rebalancer.report.summary import needs_text
from rebalancer.report.visible import TEXT_MAX, visible, visible_symbol
from rebalancer.report.words import Word, cycle_word

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TRADED: Final = Word("✔", "traded", "ok")


# The alerts of a period as items of attention: many alerts of one kind become one item.

SHOWN_MAX: Final = 20  # items; those that need a person come first
APART_MAX: Final = 3  # up to this many alerts of one kind are listed one by one
NAMES_MAX: Final = 12


def title_of(edition: PeriodReport) -> str:
    """The title of the page: "Day of Fri 2026-11-20", "Week 2026-11-16 to 2026-11-20"."""
    if edition.period == "day":
        return f"Day of {_WEEKDAYS[edition.first.weekday()]} {edition.first.isoformat()}"
    if edition.period == "month":
        return f"Month {edition.first:%Y-%m}"
    if edition.period == "year":
        return f"Year {edition.first:%Y}"
    name = "Week" if edition.period == "week" else "All days"
    return f"{name} {edition.first.isoformat()} to {edition.last.isoformat()}"


def change_of(edition: PeriodReport) -> Number | None:
    """The account's gain or loss in the period as a fraction, excluding deposits and withdrawals: time-weighted, or
    simple when no day of the period has a value yet."""
    return figures_of(edition)["return"].value


def sentence_of(edition: PeriodReport, items: Sequence[Attention]) -> str:
    """The period in one sentence."""
    figures = figures_of(edition)
    parts = [_slots(edition.slots)] if edition.slots else []
    parts.append(_orders(figures))
    if figures.known("return"):
        parts.append(f"equity {figures['return'].text}")
    parts.append(needs_text(tuple(items)))
    text = "; ".join(parts) + "."
    return text[0].upper() + text[1:]


def attention_of(edition: PeriodReport) -> tuple[Attention, ...]:
    """Everything that needs a person or attention, what needs a person first. All texts are safe to show."""
    found: list[Attention] = []
    for name in edition.broken:
        found.append(Attention("act", "A record cannot be read", visible(name, TEXT_MAX), "rebalancer doctor"))
    bridge = edition.bridge
    if bridge is not None and (bridge.unexplained != ZERO or not bridge.adds_up):
        text = f"{money(bridge.unexplained, sign=True)} of the change of equity has no known cause."
        found.append(Attention("act", "The accounts do not reconcile", text, "rebalancer doctor"))
    missed = [slot for slot in edition.slots if slot.outcome is CycleOutcome.MISSED]
    if missed:
        when = ", ".join(f"{slot.at:%H:%M} UTC" for slot in missed[:5]) + (" …" if len(missed) > 5 else "")
        text = f"Nothing ran at {when}: {visible(missed[0].because, TEXT_MAX) or 'no process was there'}."
        found.append(Attention("watch", amount_of(len(missed), "slot") + " missed", text, "rebalancer status"))
    halted = "" if edition.latest is None else edition.latest.because
    found += alerts_of(edition.alarms, halted)
    is_open = edition.latest is not None and not edition.is_followed
    mentioned = {line.symbol for line in edition.latest.orders} if is_open and edition.latest is not None else set()
    unknown = {t.line.symbol for t in edition.trades if t.line.state is OrderState.UNKNOWN}
    for symbol in sorted(unknown - mentioned):
        text = "The broker has not reported the outcome of an order; the symbol is frozen until it does."
        found.append(
            Attention("act", f"Unknown at the broker: {visible_symbol(symbol)}", text, explain_command(symbol))
        )
    said = {item.title for item in found}
    found += [item for item in _of_the_last_cycle(edition) if item.title not in said]
    unique = list(dict.fromkeys(found))
    return tuple(sorted(unique, key=lambda item: item.level != "act"))


def _of_the_last_cycle(edition: PeriodReport) -> list[Attention]:
    """What the last cycle leaves to do; of one that later cycles followed, only what is worth a look."""
    if edition.latest is None:
        return []
    if not edition.is_followed:
        return list(attention(edition.latest))
    return [item for item in attention(edition.latest._replace(orders=())) if item.level != "act"]


def slot_word(slot: SlotRow) -> Word:
    """The outcome of a slot in words; a slot that sent orders is marked as such."""
    if slot.outcome is CycleOutcome.COMPLETED and slot.orders:
        return _TRADED
    return cycle_word(slot.outcome)


class SlotRun(NamedTuple):
    """Consecutive slots that did not run as planned and ended alike, with the text of the last one."""

    first: SlotRow
    last: SlotRow
    slots: int
    word: Word


def slot_runs(slots: Sequence[SlotRow]) -> tuple[SlotRun, ...]:
    """Everything that did not run as planned, with consecutive slots combined, oldest first."""
    ordered = sorted(slots, key=lambda slot: slot.at)
    found: list[SlotRun] = []
    before: Word | None = None
    for slot in ordered:
        word = slot_word(slot)
        if word.tone in ("bad", "warn"):
            if word == before:
                found[-1] = found[-1]._replace(last=slot, slots=found[-1].slots + 1)
            else:
                found.append(SlotRun(slot, slot, 1, word))
        before = word
    return tuple(found)


def slot_counts(slots: Sequence[SlotRow]) -> tuple[tuple[Word, int], ...]:
    """How many slots ended in which way, the most frequent first."""
    counts = Counter(slot_word(slot) for slot in slots)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _slots(slots: Sequence[SlotRow]) -> str:
    counts = ", ".join(f"{count:,} {word.text.split(':')[0]}" for word, count in slot_counts(slots))
    return f"{amount_of(len(slots), 'slot')} ({counts})"


def _orders(figures: Figures) -> str:
    orders, by_hand, left = (int(figures[name].value or 0) for name in ("orders", "fills_by_hand", "not_sent"))
    parts = ["no orders"]
    if orders:
        sides = f"{figures['sells'].text} sells, {figures['buys'].text} buys"
        parts = [f"{figures['orders_filled'].text} of {amount_of(orders, 'order')} filled ({sides})"]
    if left:
        parts.append(f"{left} planned and not sent")
    if by_hand:
        parts.append(f"{amount_of(by_hand, 'fill')} by hand")
    if figures["traded"].value and figures.known("turnover_of_capital"):
        parts.append(f"turnover {figures['turnover_of_capital'].text} of capital")
    lost = figures["slippage"].value
    if isinstance(lost, Decimal) and lost:
        side = "lost" if lost > 0 else "gained"
        parts.append(f"{money(abs(lost))} {side} to slippage ({figures['slippage_bp'].text})")
    return ", ".join(parts)


def alerts_of(alarms: Sequence[AlertRow], halted: str) -> list[Attention]:
    """What the alerts ask a person to look at, in the order in which their kinds first occurred. halted: why the last
    cycle halted, which is reported elsewhere. All texts are safe to show."""
    kinds: dict[tuple[str, str], list[AlertRow]] = {}
    for number, alarm in enumerate(alarms):
        if alarm.level != "info" and not alarm.resolved and not _is_said(alarm, halted):
            kinds.setdefault((alarm.level, alarm.code or f"#{number}"), []).append(alarm)
    found: list[Attention] = []
    for same in kinds.values():
        found += [_many(same)] if len(same) > APART_MAX else [_one(alarm) for alarm in same]
    found.sort(key=lambda item: item.level != "act")
    return found[:SHOWN_MAX]


def _is_said(alarm: AlertRow, halted: str) -> bool:
    """Whether it is the loss for which the last cycle halted. Other alerts begin with a symbol, which may occur in any
    reason."""
    return alarm.code == "latched" and bool(alarm.text) and alarm.text.split(": ")[0] in halted


def _one(alarm: AlertRow) -> Attention:
    return Attention(_level(alarm), _title(alarm), f"Alert of {clock_text(alarm.at)} ET.", "rebalancer status")


def _many(same: Sequence[AlertRow]) -> Attention:
    last = same[-1]
    names = [visible_symbol(name) for name in dict.fromkeys(a.name for a in same if a.name and a.name != last.name)]
    others = ", ".join(names[:NAMES_MAX]) + (f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else "")
    text = f"The last of {len(same)} such alerts, from {clock_text(same[0].at)} to {clock_text(last.at)} ET"
    return Attention(_level(last), _title(last), text + (f"; also {others}." if names else "."), "rebalancer status")


def _level(alarm: AlertRow) -> Literal["act", "watch"]:
    return "act" if alarm.level == "action" else "watch"


def _title(alarm: AlertRow) -> str:
    shown = visible(alarm.text, TEXT_MAX).strip() or "an alert without text"
    return shown[0].upper() + shown[1:]
