"""One animated line on the terminal while something takes longer than two seconds. Elsewhere nothing, or a line now and
then about what is counted."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

AFTER_SECONDS: Final = 2.0
EVERY_SECONDS: Final = {True: 0.2, False: 10.0}  # between two messages, on a terminal and elsewhere
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
Counted = Callable[[str, int, int], None]  # what is done, how much of it, of how much


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


@contextmanager
def counted_progress(label: str, unit: str = "bars") -> Iterator[Counted]:
    """After two seconds how many bars, or what `unit` says, are done, and how long the rest may take: one line that
    changes on a terminal, else a line now and then on stderr."""
    begun, shown, what_now = time.monotonic(), 0.0, ""
    is_terminal = sys.stderr.isatty()
    with spoken_progress(label) as said:

        def heard(what: str, done: int, of: int) -> None:
            nonlocal begun, shown, what_now
            now = time.monotonic()
            if what != what_now:
                begun, shown, what_now = now, now + AFTER_SECONDS - EVERY_SECONDS[is_terminal], what
            if now - shown >= EVERY_SECONDS[is_terminal]:
                shown = now
                said(progress_text(what, done, of, now - begun, unit))

        yield heard


@contextmanager
def spoken_progress(label: str) -> Iterator[Heard]:
    """Show texts beside `label` on a terminal, in one line that changes; elsewhere each is a line on stderr."""
    with progress(label) as said:
        yield said if sys.stderr.isatty() else _say_line


def _say_line(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def progress_text(what: str, done: int, of: int, seconds: float, unit: str = "bars") -> str:
    """How far a run is, and how long the rest takes at the pace so far. seconds: since its begin."""
    from rebalancer.report.numbers import span_text

    return f"{what}: {done / of:.0%} of {of:,} {unit}, about {span_text(seconds / max(done, 1) * (of - done))} left"
