"""`exchange.url`: the address at which a running session serves the embedded exchange, for other processes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_text

ADDRESS_NAME: Final = "exchange.url"  # in the state folder, while a session runs


def served_address(state: Path) -> str | None:
    """The address as the session recorded it; None when there is none."""
    try:
        text = read_text(state / ADDRESS_NAME, 1000).strip()
    except BadDocument:
        return None
    return text if text.startswith("http://127.0.0.1:") else None
