"""Log output and format: readable text, JSON, or structured fields for journald."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

from rebalancer.core.documents import BadDocument
from rebalancer.ops.logs import LEVEL
from rebalancer.ops.logs.context import about
from rebalancer.ops.logs.journald import PRIORITIES, SOCKET, Journald
from rebalancer.ops.logs.redact import RedactingFilter, learn, redact, redact_stderr, secrets_among

FORM: Final = "REBALANCER_LOG"
LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Form(StrEnum):
    """The format of log lines."""

    HUMAN = "human"
    JSON = "json"
    JOURNALD = "journald"


def form_of(environ: Mapping[str, str], stderr: TextIO, *, is_session: bool = False) -> Form:
    """The format to use: the one requested, else journald when stderr is connected to it, else JSON for a session whose
    stderr is a file or pipe, else readable text. Raises BadDocument for an unknown name."""
    asked = environ.get(FORM, "").strip()
    if asked:
        if asked not in set(Form):
            raise BadDocument(FORM, f"{asked!r} is not a log format", f"use {', '.join(Form)}")
        return Form(asked)
    if leads_to_journald(environ, stderr):
        return Form.JOURNALD
    return Form.JSON if is_session and not stderr.isatty() else Form.HUMAN


def leads_to_journald(environ: Mapping[str, str], stderr: TextIO) -> bool:
    """Whether systemd connected this stderr to its journal (not true of a child's redirected stderr)."""
    try:
        found = os.fstat(stderr.fileno())
    except (OSError, ValueError):  # closed, or without a file descriptor
        return False
    return environ.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


def level_of(environ: Mapping[str, str]) -> int | None:
    """The requested level; None when none is. Raises BadDocument for an unknown name."""
    asked = environ.get(LEVEL, "").strip()
    if asked and asked not in LEVELS:
        raise BadDocument(LEVEL, f"{asked!r} is not a level", f"use {', '.join(LEVELS)}")
    return LEVELS.get(asked)


def set_up(level: int, form: Form, *, with_context: bool = False, journald: Path = SOCKET) -> None:
    """Write all log lines of this program from `level` up in this format, with secrets redacted.

    with_context: readable lines end with their fields and include tracebacks.
    """
    learn(secrets_among(os.environ))
    redact_stderr()
    redact_uncaught()
    logger = logging.getLogger("rebalancer")
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    handler = _ToJournald(Journald(journald)) if form is Form.JOURNALD else _ToStderr()
    handler.setFormatter(_formatter(form, with_context=with_context))
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.setLevel(level if level != logging.WARNING else logging.NOTSET)  # WARNING is the root's default


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """The fields of a redacted record, in display order."""
    found = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "text": record.getMessage(),
        "logger": record.name,
    }
    found |= {name: redact(value) for name, value in about(record).items()}
    if record.exc_text:
        found["traceback"] = record.exc_text
    return found


class _ToStderr(logging.Handler):
    """Writes lines to the current stderr. Write errors are ignored: a closed stderr must not stop trading."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


class _ToJournald(_ToStderr):
    """Sends datagrams to journald, and falls back to stderr when it does not accept one."""

    def __init__(self, sender: Journald) -> None:
        super().__init__()
        self._sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        fields = fields_of(record)
        sent = {
            "MESSAGE": fields.pop("text"),
            "PRIORITY": str(PRIORITIES.get(record.levelname, 5)),
            "SYSLOG_IDENTIFIER": "rebalancer",
            "LOGGER": fields.pop("logger"),
        }
        del fields["at"], fields["level"]
        if not self._sender.send(sent | {name.upper(): value for name, value in fields.items()}):
            super().emit(record)

    def close(self) -> None:
        self._sender.close()
        super().close()


def _formatter(form: Form, *, with_context: bool) -> logging.Formatter:
    from structlog.stdlib import ProcessorFormatter

    def render(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> str:
        record: logging.LogRecord = event["_record"]
        fields = fields_of(record)
        record.exc_text = None  # already among the fields; must not be written twice
        if form is Form.JSON:
            return json.dumps(fields, ensure_ascii=False)
        return _for_a_person(fields, with_context=with_context)

    return ProcessorFormatter(processors=[render], keep_exc_info=True)


def _for_a_person(fields: Mapping[str, str], *, with_context: bool) -> str:
    line = f"{fields['level']}: {fields['text']}"
    if not with_context:
        return line
    context = [f"{name}={fields[name]}" for name in fields if name not in ("at", "level", "text", "traceback")]
    traceback = f"\n{fields['traceback']}" if "traceback" in fields else ""
    return f"{line}  [{' '.join(context)}]{traceback}"


# Uncaught exceptions in the main thread, other threads and finalisers: their tracebacks are redacted.


def redact_uncaught() -> None:
    """Redact the tracebacks that Python itself writes to stderr. Hooks set by others are kept."""
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
        with contextlib.suppress(OSError, ValueError):  # stderr is closed: there is nowhere else to report it
            sys.stderr.write(redact(said + "".join(traceback.format_exception(kind, error, where))))
            sys.stderr.flush()
