"""One animated line on the terminal while something takes longer than two seconds; nothing when stderr is not a
terminal."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

AFTER_SECONDS: Final = 2.0
CALLS: Final = {
    "account": "reading the account",
    "positions": "reading positions",
    "orders": "reading orders",
    "quotes": "reading quotes",
    "instruments": "reading the list of symbols",
    "daily_closes": "reading daily prices",
    "activities": "reading account activities",
    "find_order": "asking for an order",
    "order": "asking for an order",
    "submit": "sending orders",
    "submit_pair": "placing stops and targets",
    "cancel": "cancelling orders",
}
Heard = Callable[[str], None]


@contextmanager
def progress(label: str, *, after: float = AFTER_SECONDS) -> Iterator[Heard]:
    """Show `label` with a spinner once the block has taken longer than `after` seconds. Yields a function that takes
    the name of a call to the broker, or any text, and shows it beside the label."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    status = Console(stderr=True).status(Text(label))  # a Text, so that nothing in it is interpreted as markup
    calls: Counter[str] = Counter()

    def heard(name: str) -> None:
        calls[name] += 1
        said = CALLS.get(name, name)
        counted = f" ({calls[name]})" if name in ("submit", "submit_pair", "cancel") else ""
        status.update(Text(f"{label}: {said}{counted}"))

    timer = threading.Timer(after, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield heard
    finally:
        timer.cancel()
        timer.join()
        status.stop()
