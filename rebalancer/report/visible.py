"""Make any text safe to display: nothing in it can move the cursor, reorder letters or fill the page.

Symbols, reasons and broker messages come from outside. Markup is escaped later, by the template; here the characters
are escaped that no template handles.
"""

from __future__ import annotations

import unicodedata
from typing import Final

TEXT_MAX: Final = 280  # characters of one free text on a page; the JSON keeps all of it
SYMBOL_MAX: Final = 24
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, bidi and zero-width, surrogates


def visible(text: str, length_max: int | None = None) -> str:
    r"""Write control, format and unassigned characters as escapes (`\n`, `\x1b`, `\u202e`).

    A text longer than `length_max` is cut and says by how much; None keeps it whole.
    """
    cut = ""
    if length_max is not None and len(text) > length_max:
        cut = f"… ({len(text) - length_max:,} more characters)"
        text = text[:length_max]
    if text.isascii() and text.isprintable():
        return text + cut
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in text) + cut


def visible_symbol(symbol: str) -> str:
    """A symbol as it may be shown: escaped, and short enough for a table row."""
    shown = visible(symbol)
    return shown if len(shown) <= SYMBOL_MAX else shown[: SYMBOL_MAX - 1] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
