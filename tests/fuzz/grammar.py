# ruff: noqa: E501 - lists of poison
"""Damaged texts: bytes flipped, cut, doubled and mixed with what parsers stumble over; drawn from a seed."""

from __future__ import annotations

import random

POISON = (
    "NaN", "-Infinity", "1e400", "1e-400", "\x00", "\u202e", "А", "\ud7ff", "null", "true", "ON", "15:55", "0x10", "1_000", "0,5",
    "'", '"', "\\", "{", "}", "[", "]", ":", "- ", "&a", "*a", "!!python/object:os.system", "<<: ", "\t", "\r", "\ufeff",
    "../../etc/passwd", "=cmd()", "<script>", "9" * 400, "%2e%2e", "2026-02-29T00:00:00Z", "23:59:60", "-0", "", "|", ">", "?",
)  # fmt: skip


def damaged(text: str, draws: random.Random) -> str:
    """The text with a few wounds."""
    for _ in range(draws.choice((1, 1, 2, 3, 8))):
        at, to = sorted((draws.randint(0, len(text)), draws.randint(0, len(text))))
        match draws.randint(0, 6):
            case 0:
                text = text[:at]
            case 1:
                text = text[:at] + text[to:]
            case 2:
                text = text[:to] + text[at:to] + text[to:]
            case 3:
                text = text[:at] + draws.choice(POISON) + text[at:]
            case 4:
                text = text[:at] + draws.choice(POISON) + text[min(at + draws.randint(1, 12), len(text)) :]
            case 5:
                text = text[:at] + chr(draws.choice((0, 9, 10, 13, 27, 127, 160, 8238, 65279, 55295))) + text[at + 1 :]
            case _:
                lines = text.split("\n")
                draws.shuffle(lines)
                text = "\n".join(lines)
    return text
