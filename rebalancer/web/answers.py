"""Idempotency-Key: the same key and body get the same answer, another body under the same key is refused.

Answers are kept for a day, in a file of this process alone. A request that died in between is done again; since the ids
of its signals follow from its key, that changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import canonical_json, sha256
from rebalancer.journal.chain import stamp
from rebalancer.signals.receipts.database import SignalDatabase
from rebalancer.web.problems import HttpProblem

_KEPT: Final = timedelta(days=1)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
_WAIT_SECONDS: Final = 5.0
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS answers (
        name TEXT PRIMARY KEY, -- the hash of token, route and key
        body_sha256 TEXT NOT NULL,
        status INTEGER NOT NULL,
        answer TEXT NOT NULL,
        at TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS ix_answers_at ON answers (at)",
)


class WebAnswer(NamedTuple):
    """An answer: its status and its JSON document."""

    status: int
    document: dict[str, Any]


class AnswerBook:
    """The answers given under a key, in one file."""

    def __init__(self, path: Path) -> None:
        """Raises SignalsUnavailable."""
        self._database = SignalDatabase(path, _TABLES, 1, _WAIT_SECONDS, durable=True)
        self._doing: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    async def once(
        self,
        caller: str,
        key: str | None,
        body: object,
        at: datetime,
        do: Callable[[], Awaitable[WebAnswer]],
        keep: Callable[[WebAnswer], bool] = lambda _: True,
    ) -> WebAnswer:
        """The answer of `do`, or the one that was given under this key before. caller: token and route. keep: whether
        an answer is kept; otherwise the same key does it again. Raises HttpProblem 422 when the key was used with
        another body, 400 for a key that is none, and what `do` raises."""
        if key is None:
            return await do()
        if _KEY.fullmatch(key) is None:
            raise HttpProblem(400, "an Idempotency-Key has 1 to 200 visible ASCII characters")
        name, digest = sha256(f"{caller}\n{key}"), sha256(canonical_json(body))
        self._waiting[name] += 1
        try:
            async with self._doing.setdefault(name, asyncio.Lock()):
                known = await asyncio.to_thread(self._known, name)
                if known is not None:
                    if known[0] != digest:
                        raise HttpProblem(
                            422, "this Idempotency-Key was used with another body", outcome="REJECTED_INVALID"
                        )
                    return known[1]
                answer = await do()
                if keep(answer):
                    await asyncio.to_thread(self._keep, name, digest, answer, at)
                return answer
        finally:
            self._waiting[name] -= 1
            if not self._waiting[name]:
                del self._waiting[name], self._doing[name]

    def _known(self, name: str) -> tuple[str, WebAnswer] | None:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT body_sha256, status, answer FROM answers WHERE name = ?", (name,)
            ).fetchone()
        return None if row is None else (row[0], WebAnswer(row[1], json.loads(row[2])))

    def _keep(self, name: str, digest: str, answer: WebAnswer, at: datetime) -> None:
        text = json.dumps(answer.document, ensure_ascii=False)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM answers WHERE at < ?", (stamp(at - _KEPT),))
            connection.execute(
                "INSERT OR REPLACE INTO answers (name, body_sha256, status, answer, at) VALUES (?, ?, ?, ?, ?)",
                (name, digest, answer.status, text, stamp(at)),
            )
