"""A scripted session over plain HTTP that asks every endpoint, in good and bad cases, and has every answer judged.

    python -m tests.conformance.session

starts an exchange of its own and prints calls and violations. With ALPACA_OPENAPI_DIR set it judges by the official
files themselves instead of the compact schemas kept here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import requests

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.conformance import session_advanced, session_data, session_trading
from tests.conformance.derive import VARIABLE, derive, official_documents
from tests.conformance.recorder import Recorder
from tests.conformance.schema_check import Answer, Judge

OPTIONS: Final = ExchangeOptions(
    holdings="starter", rate_limit_per_minute=0, fill_latency_seconds=0.004, partial_fill_probability=0, key="key",
    secret="secret",
)  # fmt: skip
STILL: Final = OPTIONS._replace(speed=0)  # time passes only where the session says so, however slow the machine
PARTS: Final[tuple[Callable[[Recorder], None], ...]] = (
    *session_trading.BEFORE,
    *session_advanced.PARTS,
    *session_trading.AFTER,
    *session_data.PARTS,
)


def play(running: RunningExchange) -> list[Answer]:
    """Play the whole session against an exchange with STILL; returns every answer in order."""
    with requests.Session() as http:
        http.trust_env = False
        recorder = Recorder(http, running)
        for part in PARTS:
            part(recorder)
    return recorder.answers


def judge_from(directory: str | None) -> Judge:
    """A judge by the official files of a directory, or by the compact schemas."""
    if directory is None:
        return Judge()
    return Judge({api: derive(document) for api, document in official_documents(Path(directory)).items()})


def main() -> int:
    """Play, judge and print. Returns the exit code."""
    directory = os.environ.get(VARIABLE)
    judge = judge_from(directory)
    with start_exchange(STILL) as running:
        answers = play(running)
    violations = [line for answer in answers for line in judge.violations(answer)]
    for line in violations:
        print(line, file=sys.stderr)
    print(f"judged by:  {'the official files' if directory else 'the compact schemas'}")
    print(f"calls:      {len(answers)}")
    print(f"endpoints:  {len({answer.call for answer in answers})}")
    print(f"violations: {len(violations)}")
    return 1 if violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
