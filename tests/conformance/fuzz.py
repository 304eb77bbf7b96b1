"""Random calls from the exchange's own OpenAPI document, each answer checked against it by schemathesis.

    python -m tests.conformance.fuzz EXAMPLES

prints cases and failures; EXAMPLES is the number of well-formed cases a call, and of malformed ones.

Checked: no 5xx, only documented status codes, content types and bodies, and no call that works without keys. Not
checked: that every well-formed call succeeds (funds decide) and that every odd one fails (Alpaca ignores unknown
parameters, and so does the exchange).
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from functools import partial
from typing import Any, Final, NamedTuple

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from rebalancer.exchange.openapi.document import document
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.conformance.recorder import KEYS
from tests.conformance.session import OPTIONS

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
ENDLESS: Final = "/v2/events/trades"  # its answer has no end that a random call could wait for
_QUIET: Final = settings(deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


class Report(NamedTuple):
    """How often each call gave each status, and what was wrong, by call."""

    answers: Counter[tuple[str, int]]
    failures: dict[str, str]

    @property
    def cases(self) -> int:
        return self.answers.total()

    @property
    def succeeded(self) -> set[str]:
        """Calls that came through at least once."""
        return {call for call, status in self.answers if status < 300}


def fuzz(running: RunningExchange, examples: int, *, repeatable: bool) -> Report:
    """Send random cases of every call to an exchange started with OPTIONS."""
    report = Report(Counter(), {})
    schema = schemathesis.openapi.from_dict(_with_known_names(running))
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        body = {"suspend_trade": False}
        requests.patch(f"{running.url}/v2/account/configurations", json=body, headers=KEYS, timeout=9)
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            how = settings(_QUIET, max_examples=examples, derandomize=repeatable)
            how(given(case=operation.as_strategy(generation_mode=mode))(partial(_ask, running.url, report)))()
    return report


def _ask(url: str, report: Report, case: Any) -> None:
    """Send one case and note what came back."""
    label = case.operation.label
    answer = case.call(base_url=url, headers=KEYS, timeout=10)
    report.answers[(label, answer.status_code)] += 1
    try:
        case.validate_response(answer, checks=CHECKS, headers=KEYS)
    except (Failure, FailureGroup) as error:
        report.failures.setdefault(f"{label} {answer.status_code}", f"{error} {case.as_curl_command()}")


def _with_known_names(running: RunningExchange) -> dict[str, Any]:
    """The document, where half of the names and ids are some that exist: random ones never get far."""
    listed = requests.get(f"{running.url}/v2/orders", {"status": "all"}, headers=KEYS, timeout=9).json()
    ids = [order["id"] for order in listed[:5]]
    known = {
        "symbols": ["AAPL", "AAPL,SPY,ZZZZ", "BTC/USD", "BTC/USD,ETH/USD"],
        "symbol": ["AAPL", "NVR", "AMC", "TWTR", "BTC/USD", "ETH/USD"],
        "symbol_or_asset_id": ["AAPL", "BTCUSD", "BTC%2FUSD", "NVR", "ZZZZ"],
        "timeframe": ["1Min", "15Min", "1Hour", "1Day", "1Week", "1Month"],
        "activity_type": ["FILL", "CSD", "CFEE"],
        "client_order_id": ["first", *(order["client_order_id"] for order in listed[:5])],
        "order_id": ids,
        "qty": ["1", 0.5, "1e1"],
        "notional": [None],
    }
    narrowed = copy.deepcopy(document())
    for operations in narrowed["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in known:
                    parameter["schema"] = _or_known(parameter["schema"], known[parameter["name"]])
    body = narrowed["components"]["schemas"]["OrderRequest"]["properties"]
    for name in set(known) & set(body):
        body[name] = _or_known(body[name], known[name])
    return narrowed


def _or_known(schema: dict[str, Any], names: list[Any]) -> dict[str, Any]:
    return {"anyOf": [{"enum": names}, schema]} if names else schema


def main() -> int:
    """Run and print. Returns the exit code."""
    with start_exchange(OPTIONS) as running:
        report = fuzz(running, int(sys.argv[1]), repeatable=False)
        running.exchange.books.ledger.audit()
    print(f"cases:    {report.cases}")
    statuses: Counter[int] = Counter()
    for (_, status), count in report.answers.items():
        statuses[status] += count
    print(f"statuses: {dict(sorted(statuses.items()))}")
    print(f"succeeded at least once: {len(report.succeeded)} of {len({call for call, _ in report.answers})} calls")
    print(f"failures: {len(report.failures)}")
    for place, words in report.failures.items():
        print(f"  {place}: {words[:1500]}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
