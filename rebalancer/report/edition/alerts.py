"""The alerts of a period as things to look at: many of one kind are one thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from rebalancer.report.attention import Attention
from rebalancer.report.edition.records import Alarm
from rebalancer.report.numbers import clock_text
from rebalancer.report.visible import TEXT_MAX, visible, visible_symbol

SHOWN_MAX: Final = 20  # things; those that need a person come first
APART_MAX: Final = 3  # so many alerts of one kind are told one by one
NAMES_MAX: Final = 12


def alerts_of(alarms: Sequence[Alarm], halted: str) -> list[Attention]:
    """What the alerts ask a person to look at, in the order in which their kinds first came. halted: why the last cycle
    halted, which is told elsewhere. All texts are safe to show."""
    kinds: dict[tuple[str, str], list[Alarm]] = {}
    for number, alarm in enumerate(alarms):
        if alarm.level != "info" and not (alarm.text and alarm.text.split(": ")[0] in halted):
            kinds.setdefault((alarm.level, alarm.code or f"#{number}"), []).append(alarm)
    found: list[Attention] = []
    for same in kinds.values():
        found += [_many(same)] if len(same) > APART_MAX else [_one(alarm) for alarm in same]
    found.sort(key=lambda item: item.level != "act")
    return found[:SHOWN_MAX]


def _one(alarm: Alarm) -> Attention:
    return Attention(_level(alarm), _title(alarm), f"Alert of {clock_text(alarm.at)} ET.", "rebalancer status")


def _many(same: Sequence[Alarm]) -> Attention:
    last = same[-1]
    names = [visible_symbol(name) for name in dict.fromkeys(a.name for a in same if a.name and a.name != last.name)]
    others = ", ".join(names[:NAMES_MAX]) + (f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else "")
    text = f"The last of {len(same)} such alerts, from {clock_text(same[0].at)} to {clock_text(last.at)} ET"
    return Attention(_level(last), _title(last), text + (f"; also {others}." if names else "."), "rebalancer status")


def _level(alarm: Alarm) -> Literal["act", "watch"]:
    return "act" if alarm.level == "action" else "watch"


def _title(alarm: Alarm) -> str:
    shown = visible(alarm.text, TEXT_MAX).strip() or "an alert without words"
    return shown[0].upper() + shown[1:]
