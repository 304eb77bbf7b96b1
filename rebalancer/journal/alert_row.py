"""The event that tells people something: one row of the kind "alert", from which messages, pages and logs are made."""

from __future__ import annotations

from typing import Final, Literal

ALERT: Final = "alert"
AlertLevel = Literal["info", "warning", "action"]


def alert_row(
    about: str, level: AlertLevel, code: str, text: str, **more: object
) -> tuple[str, str, dict[str, object]]:
    """Kind, key and body of an alert. about: what it concerns, such as a symbol; equal alerts about the same thing are
    told apart from others by it. level: "action" needs a person. code: see docs/how-to/alerts.md. more: further fields
    of the body, for whoever recognises the alert again."""
    return ALERT, about, {"level": level, "code": code, "text": text, **more}
