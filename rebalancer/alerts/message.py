"""Compose a message from one alert of the journal, or from several that belong together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from rebalancer.core.values import time_text
from rebalancer.journal.records import Event

LEVELS: Final = ("info", "warning", "action")
SUMMARY: Final = "summary"  # the code of the daily summary
SUBJECT_MAX: Final = 120
TEXT_MAX: Final = 2000
LINES_MAX: Final = 50


class Attachment(NamedTuple):
    """A page attached to a message."""

    name: str
    html: str


class Message(NamedTuple):
    """One message. `id` is the same on every attempt, so that a receiver can drop duplicates; `alerts` is the number of
    alerts it covers; `html` is "" when there is only text."""

    id: str
    level: str
    code: str
    key: str
    alerts: int
    at: str
    subject: str
    text: str
    html: str = ""
    attachment: Attachment | None = None


class Words(NamedTuple):
    """The content of a message that is more than its alert's own text."""

    subject: str
    text: str
    html: str = ""
    attachment: Attachment | None = None


class Compose(Protocol):
    """Composes the daily summary from its alert; None keeps the alert's own text."""

    def __call__(self, event: Event) -> Words | None: ...


def level_of(event: Event) -> str:
    """The level of an alert; an alert without a level is a warning."""
    level = event.body.get("level")
    return level if isinstance(level, str) and level in LEVELS else "warning"


def code_of(event: Event) -> str:
    """The code that identifies the kind of an alert."""
    return str(event.body.get("code", "alert"))


def message_of(members: Sequence[Event], mode: str, compose: Compose) -> Message:
    """Compose one message for a single alert, repetitions of one, or a list of different ones."""
    head, last = members[0], members[-1]
    level = max((level_of(e) for e in members), key=LEVELS.index)
    words = compose(last) if code_of(last) == SUMMARY else None
    if words is None:
        kinds = {(code_of(e), e.key) for e in members}
        words = _listed(members, level, mode) if len(kinds) > 1 else _one(members, level, mode)
    whole = f"{head.account_id}|{head.seq}|{time_text(head.at)}|{last.seq}|{len(members)}"
    return Message(
        id=hashlib.sha256(whole.encode()).hexdigest()[:32],
        level=level,
        code=code_of(last),
        key=last.key or "",
        alerts=len(members),
        at=time_text(last.at),
        subject=one_line(words.subject, SUBJECT_MAX),
        text=words.text,
        html=words.html,
        attachment=words.attachment,
    )


def one_line(text: str, most: int) -> str:
    """The text without line breaks and control characters, truncated to a length."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    short = " ".join(plain.split())
    return short if len(short) <= most else f"{short[: most - 1]}…"


def _one(members: Sequence[Event], level: str, mode: str) -> Words:
    last = members[-1]
    said = _text_of(last)
    lines = [said, "", f"{time_text(last.at)}  {code_of(last)}  {last.key or ''}".rstrip()]
    if len(members) > 1:
        lines += ["", f"{len(members)} times since {time_text(members[0].at)}:"]
        lines += _lines(members)
    return Words(f"[{mode.upper()}] {level}: {_times(members)}{said}", "\n".join(lines) + "\n")


def _listed(members: Sequence[Event], level: str, mode: str) -> Words:
    lines = [f"{len(members)} alerts at once; the newest comes last.", "", *_lines(members)]
    return Words(f"[{mode.upper()}] {level}: {len(members)} alerts", "\n".join(lines) + "\n")


def _lines(members: Sequence[Event]) -> list[str]:
    left = len(members) - LINES_MAX
    shown = [f"- {time_text(e.at)} {level_of(e)} {one_line(_text_of(e), 300)}" for e in members[-LINES_MAX:]]
    return [*([f"- {left} earlier ones are in the journal: rebalancer alerts"] if left > 0 else []), *shown]


def _times(members: Sequence[Event]) -> str:
    return f"{len(members)} times: " if len(members) > 1 else ""


def _text_of(event: Event) -> str:
    text = str(event.body.get("text") or "an alert without text").strip()
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)[:TEXT_MAX]
