"""Turns an error into one clear message and its exit code."""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import (
    AnotherProgram,
    BrokerUnavailable,
    CredentialsRefused,
    ExternalError,
    JournalBroken,
    JournalLocked,
    LeaseLost,
    LockHeld,
    SignalsUnavailable,
    Unwritable,
    WrongAccount,
)


class BadUsage(BadDocument):
    """A word on the command line that no list of choices has."""


def choice(where: str, word: str, known: Sequence[str]) -> str:
    """The word, when it is one of the known ones; raises BadUsage, with the closest one, when it is not."""
    if word in known:
        return word
    near = get_close_matches(word, known, 1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise BadUsage(where, f"{word!r:.40} is not known", f"{guess}there are: {', '.join(known)}")


def day_of(option: str, text: str) -> date:
    """The day that an option names. Raises BadDocument naming the option."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadDocument(option, f"{text!r:.40} is not a day", "write it as 2026-11-20") from None


def guarded(app: Callable[[], object]) -> int:
    """Run the command line and return its exit code. Only a message reaches the terminal; a traceback only with
    REBALANCER_TRACEBACK=1."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process: nobody can be told, but all else works
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until exit
    try:
        app()
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.UNEXPECTED
    except BadUsage as error:
        return said(error, ExitCode.USAGE)
    except BadDocument as error:
        return said(_with_hint(error), ExitCode.CONFIG)
    except BrokerUnavailable as error:
        return said(error, ExitCode.UNAVAILABLE)
    except LockHeld as error:
        return said(error, ExitCode.LOCKED)
    except (CredentialsRefused, WrongAccount) as error:
        return said(error, ExitCode.REFUSED)
    except Unwritable as error:
        return said(_with_hint(error), ExitCode.CONFIG)
    except LeaseLost as error:
        return said(error, ExitCode.LOCKED)
    except AnotherProgram as error:  # a halt that a person must look at; a restart does not help
        return said(error, ExitCode.HALTED)
    except JournalLocked as error:
        return said(error, ExitCode.UNAVAILABLE)
    except (JournalBroken, SignalsUnavailable) as error:
        return said(error, ExitCode.CONFIG)
    except ExternalError as error:
        return said(error, ExitCode.UNEXPECTED)
    except BrokenPipeError:
        # the reader of our output has gone; the work itself is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except OSError as error:
        if error.filename is not None:
            from rebalancer.ops.disk import unwritable

            return said(unwritable(Path(os.fsdecode(error.filename)), error), ExitCode.CONFIG)
        if error.errno != errno.ENOSPC:
            return _unexpected(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return said(
            "the output could not be written: no space is left; the command itself is complete", ExitCode.UNEXPECTED
        )
    except KeyboardInterrupt:
        return said("interrupted; the next run closes what was left open", 130)
    except Exception as error:  # noqa: BLE001 - last resort: one message, never a bare traceback
        return _unexpected(error)
    return ExitCode.DONE


def _with_hint(error: BadDocument | Unwritable) -> str:
    """The error, what to do about it, and the notes that were added to it."""
    text = str(error)
    if "\n  hint: " not in text:
        text += f"\n  hint: {default_hint(error.where if isinstance(error, BadDocument) else '')}"
    return "\n".join([text, *getattr(error, "__notes__", ())])


def default_hint(where: str) -> str:
    """What to do about an error that brings no hint, by the kind of place that it names."""
    _, is_json, pointer = where.partition("#/")
    line = re.search(r":([0-9]+)(?::|$)", where)
    if where.startswith("signals table"):
        return "correct or delete this row of the journal's signals table, then run it again"
    if where == "environment":
        return "correct the variable in the environment or in the env file, then run it again"
    if where.startswith("--") or " --" in where or where == "exchange serve":
        return "give another value on the command line; --help says what is taken"
    if is_json:
        return f"correct the value at /{pointer}, then run it again"
    if line:
        return f"correct line {line[1]} of this file, then run it again"
    return "correct or replace it, then run it again"


def _unexpected(error: Exception) -> int:
    if os.environ.get("REBALANCER_TRACEBACK"):
        sys.stderr.write(_redacted(traceback.format_exc()))
    kind = type(error).__name__
    return said(f"unexpected {kind}: {error}\n  hint: REBALANCER_TRACEBACK=1 shows where", ExitCode.UNEXPECTED)


def said(problem: object, code: int) -> int:
    """Write one error to stderr, without any secret, and return its exit code."""
    text = _redacted("\n".join([f"error: {problem}", *getattr(problem, "__notes__", ())]) + "\n")
    sys.stderr.write(text.encode("utf-8", "backslashreplace").decode())
    return code


def _redacted(text: str) -> str:
    from rebalancer.ops.logs.redact import learn, redact, secrets_among

    learn(secrets_among(os.environ))  # the error may occur before anything was loaded
    return redact(text)
