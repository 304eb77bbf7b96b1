"""What a helper of a test opens for it is closed when the test ends: `tests.conftest` sees to that."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol, TypeVar


class _Closes(Protocol):
    def close(self) -> None: ...


_C = TypeVar("_C", bound=_Closes)
_OPEN = ExitStack()


def closed_at_end(thing: _C) -> _C:
    """Close it when the test ends, the newest first. A fixture wider than a test closes its own."""
    _OPEN.callback(thing.close)
    return thing


def close_all() -> None:
    _OPEN.close()
