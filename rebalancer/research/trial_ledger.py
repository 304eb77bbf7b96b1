"""The ledger of trials: a file with one line for every backtest that was ever run, to which lines are only appended.

A line is JSON with the hash of the line before it, so that a line that was taken away or changed is found. It is
written by one call and synced before its result is shown; a line that a power cut tore is ended, left where it is and
counted. Any number of processes may append. Nothing here is ever executed or unpickled.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument, canonical_json, sha256
from rebalancer.core.input_file import read_content
from rebalancer.core.values import time_text
from rebalancer.ops.disk import unwritable
from rebalancer.ops.paths import state_directory
from rebalancer.research.market import Floats
from rebalancer.research.overfitting import moments_of

SCHEMA: Final = "rebalancer.trial/1"
LEDGER_NAME: Final = "trials.jsonl"
VARIABLE: Final = "REBALANCER_TRIALS"
SIZE_MAX: Final = 4 * 1024**3
NOTHING_BEFORE: Final = "0" * 64
TAIL: Final = 1024 * 1024


class TrialKey(NamedTuple):
    """Hex SHA-256 of configuration, data and code."""

    config: str
    data: str
    code: str

    @property
    def point(self) -> str:
        """The identity of a result: it is computed again when any of the three changes."""
        return sha256("/".join(self))

    @property
    def setting(self) -> tuple[str, str]:
        """What counts as one trial: a result computed again by newer code is no new one."""
        return self.config, self.data


class Trial(NamedTuple):
    """One result. days: first and last trading day, and their number. returns: of every day, shape (days,). rules: the
    hash of the keys that planning reads; "" where it is not known."""

    at: datetime
    kind: str
    key: TrialKey
    days: tuple[date, date, int]
    returns: Floats
    rules: str = ""

    @property
    def sharpe(self) -> float:
        """The Sharpe ratio of a day."""
        return moments_of(self.returns).sharpe


class TrialLedger(NamedTuple):
    """All trials, oldest first. torn: lines that a power cut left incomplete."""

    trials: tuple[Trial, ...] = ()
    torn: int = 0

    @property
    def settings(self) -> dict[tuple[str, str], Trial]:
        """The newest result of every setting ever tried."""
        return {trial.key.setting: trial for trial in self.trials}


def ledger_path(named: Path | None = None, state: Path | None = None) -> Path:
    """The ledger: the named file, else that of `$REBALANCER_TRIALS`, else `trials.jsonl` in the state folder."""
    if named is not None:
        return named
    chosen = os.environ.get(VARIABLE, "").strip()
    return Path(chosen) if chosen else (state_directory() if state is None else state) / LEDGER_NAME


def append_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Append trials and sync. Raises BadDocument for a file that is no ledger, and Unwritable."""
    handle = _opened(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        before, is_whole = _last_hash(handle, size, path)
        lines = []
        for trial in trials:
            body = canonical_json(_row(trial) | {"before": before})
            before = sha256(body)
            lines.append(body)
        text = ("" if is_whole else "\n") + "".join(f"{line}\n" for line in lines)
        _write_whole(handle, text.encode(), path)
    finally:
        os.close(handle)


def read_trials(path: Path) -> TrialLedger:
    """Every trial of a ledger; none where there is no file. Raises BadDocument naming the line at which the chain of
    hashes is broken."""
    if not path.exists():
        return TrialLedger()
    found, torn, before = [], 0, NOTHING_BEFORE
    body = read_content(path, SIZE_MAX).body
    for number, line in enumerate(body.removesuffix(b"\n").split(b"\n") if body else (), 1):
        row = _parsed(line)
        if row is None:
            torn += 1
            continue
        if row.get("before") != before:
            problem = "does not follow the line before it: a line was changed, added or taken away"
            raise BadDocument(f"{path}:{number}", problem, "restore it from a copy, or move it away to begin a new one")
        before = sha256(line.decode())
        try:
            found.append(_trial(row))
        except (KeyError, TypeError, ValueError) as error:
            raise BadDocument(f"{path}:{number}", f"is no trial: {error}", "restore it from a copy") from None
    return TrialLedger(tuple(found), torn)


def packed(returns: Floats) -> str:
    """Returns as text: 32-bit floats, little endian, in base64."""
    return base64.b64encode(np.asarray(returns, "<f4").tobytes()).decode()


def unpacked(text: str) -> Floats:
    """The returns of such a text. Raises ValueError."""
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float64)


def _row(trial: Trial) -> dict[str, Any]:
    first, last, count = trial.days
    return {
        "schema": SCHEMA,
        "at": time_text(trial.at),
        "kind": trial.kind,
        **trial.key._asdict(),
        "first": first.isoformat(),
        "last": last.isoformat(),
        "days": count,
        "sharpe": trial.sharpe,
        **({"rules": trial.rules} if trial.rules else {}),
        "returns": packed(trial.returns),
    }


def _trial(row: dict[str, Any]) -> Trial:
    if row["schema"] != SCHEMA:
        raise ValueError(f"schema {row['schema']!r} is not {SCHEMA}")
    return Trial(
        at=datetime.fromisoformat(row["at"]),
        kind=str(row["kind"]),
        key=TrialKey(str(row["config"]), str(row["data"]), str(row["code"])),
        days=(date.fromisoformat(row["first"]), date.fromisoformat(row["last"]), int(row["days"])),
        returns=unpacked(row["returns"]),
        rules=str(row.get("rules", "")),
    )


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        raise unwritable(path, error) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadDocument(str(path), "is not a regular file", "name a file for the ledger: --ledger")
    return handle


def _last_hash(handle: int, size: int, path: Path) -> tuple[str, bool]:
    """The hash of the last whole line, and whether the file ends with the end of a line."""
    if not size:
        return NOTHING_BEFORE, True
    length = TAIL
    while True:
        part = os.pread(handle, min(length, size), max(size - length, 0))
        lines = part.split(b"\n")
        is_whole = lines[-1] == b""
        for line in reversed(lines if length >= size else lines[1:]):
            if (row := _parsed(line)) is not None:
                if row.get("schema") != SCHEMA:
                    raise BadDocument(str(path), "is no ledger of trials", "name another file: --ledger")
                return sha256(line.decode()), is_whole
        if length >= size:
            if any(line.strip() and not line.startswith(b'{"at":') for line in lines):
                raise BadDocument(str(path), "is no ledger of trials", "name another file: --ledger")
            return NOTHING_BEFORE, is_whole
        length *= 4


def _write_whole(handle: int, content: bytes, path: Path) -> None:
    try:
        while content:
            content = content[os.write(handle, content) :]
        os.fsync(handle)
    except OSError as error:
        raise unwritable(path, error) from None
