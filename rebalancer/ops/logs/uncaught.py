"""What nobody caught: in the main thread, in another thread, in a finaliser. Its traceback is shown without secrets."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from types import TracebackType

from rebalancer.ops.logs.redact import redact


def redact_uncaught() -> None:
    """Redact the tracebacks that Python itself writes to stderr. A hook that somebody else has set stays."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _of_main
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _of_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _of_finaliser


def _of_main(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    _write("", kind, error, where)


def _of_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_type is not SystemExit:
        name = found.thread.name if found.thread is not None else "a thread that has gone"
        _write(f"Exception in thread {name}:\n", found.exc_type, found.exc_value, found.exc_traceback)


def _of_finaliser(found: sys.UnraisableHookArgs) -> None:
    said = f"{found.err_msg or 'Exception ignored in'}: {found.object!r}\n"
    _write(said, found.exc_type, found.exc_value, found.exc_traceback)


def _write(said: str, kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it: there is no other place to tell
            sys.stderr.write(redact(said + "".join(traceback.format_exception(kind, error, where))))
            sys.stderr.flush()
