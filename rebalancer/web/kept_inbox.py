"""The inbox, kept open between requests: opening and closing it costs more than an insertion."""

from __future__ import annotations

import threading
from pathlib import Path

from rebalancer.signals.receipts.inbox import SignalInbox


class KeptInbox:
    """One inbox, opened at its first use, and anew when another file has taken its place."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._inbox: SignalInbox | None = None
        self._seen: tuple[int, int] | None = None

    def get(self) -> SignalInbox:
        """The open inbox, to be used at once and not closed. Raises SignalsUnavailable."""
        with self._lock:
            if self._inbox is None or self._place() != self._seen:
                self._inbox = SignalInbox.open(self._path)
                self._seen = self._place()
            return self._inbox

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._inbox is not None:
                self._inbox.close()
                self._inbox = None

    def _place(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
