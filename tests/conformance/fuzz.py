"""Random calls from the exchange's own OpenAPI document, each answer checked against it by schemathesis.

    python -m tests.conformance.fuzz EXAMPLES

prints cases and failures; EXAMPLES is the number of well-formed cases a call, and of malformed ones.

Checked: no 5xx, only documented status codes, content types and bodies, and no call that works without keys. Not
checked: that every well-formed call succeeds (funds decide) and that every odd one fails (Alpaca ignores unknown
parameters, and so does the exchange).
"""

from __future__ import annotations

import copy
import os
import sys
from collections import Counter
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
from rebalancer.exchange.openapi.objects import OBJECTS
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
_QUANTITIES: Final = ["1", 100, 0.5, "1e1"]
_SAID: Final = ("symbol", "qty", "side", "type", "time_in_force")
ENDLESS: Final = ("/v2/events/trades", "/v2beta1/events/activities")  # no end that a random call could wait for
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
    how = settings(_QUIET, max_examples=examples, derandomize=repeatable)
    for narrowed, mode in (
        (True, schemathesis.GenerationMode.POSITIVE),
        (False, schemathesis.GenerationMode.POSITIVE),
        (False, schemathesis.GenerationMode.NEGATIVE),
    ):
        spoken = _with_known_names(running.url) if narrowed else document()
        operations = [found.ok() for found in schemathesis.openapi.from_dict(spoken).get_all_operations()]
        for operation in sorted(operations, key=_deletions_last):
            if operation.path not in ENDLESS:
                _sent("PATCH", f"{running.url}/v2/account/configurations", {"suspend_trade": False})
                _ask_many(running.url, operation.as_strategy(generation_mode=mode), how, report)
    return report


def _deletions_last(operation: Any) -> tuple[bool, int]:
    return operation.method.upper() == "DELETE", -operation.path.count("/")


def _ask_many(url: str, cases: Any, how: settings, report: Report) -> None:
    @how
    @given(case=cases)
    def ask(case: Any) -> None:
        _ask(url, report, case)

    ask()


def _ask(url: str, report: Report, case: Any) -> None:
    """Send one case and note what came back."""
    label = case.operation.label
    answer = case.call(base_url=url, headers=KEYS, timeout=300)
    report.answers[(label, answer.status_code)] += 1
    if answer.status_code == 400 and answer.content.startswith(b"Invalid HTTP request"):
        return  # a random header was no header; said by the server below the exchange
    try:
        case.validate_response(answer, checks=CHECKS, headers=KEYS)
    except (Failure, FailureGroup) as error:
        report.failures.setdefault(f"{label} {answer.status_code}", f"{error} {case.as_curl_command()}")


def _with_known_names(url: str) -> dict[str, Any]:
    """The document with names and ids that exist, and orders that can be placed: random ones never get far."""
    rest = {"symbol": "MSFT", "qty": "2", "side": "buy", "type": "limit", "limit_price": "20", "time_in_force": "gtc"}
    names = [f"known-{number}" for number in range(6)]
    orders = [_sent("POST", f"{url}/v2/orders", {**rest, "client_order_id": name})["id"] for name in names]
    lists = [_sent("POST", f"{url}/v2/watchlists", {"name": name, "symbols": ["AAPL", "SPY"]})["id"] for name in names]
    known: dict[str, list[Any]] = {
        "ticktype": ["trade", "quote"],
        "loc": ["us", "eu-1"],
        "locate_id": [_located(url)],
        "market_type": ["stocks", "crypto"],
        "market": ["NYSE", "XNAS"],
        "markets": ["NYSE,OTC"],
        "ca_types": ["dividend", "split,merger"],
        "since": ["2026-11-19"],
        "symbol_or_asset_id": ["AAPL", "SPY"],
        "activity_type": ["FILL", "CSD", "CFEE"],
        "client_order_id": names,
        "name": names[3:],
        "order_id": orders,
        "watchlist_id": lists,
        **{name: [""] for name in ("page_token", "before_order_id", "after_order_id")},
        "limit_price": [None],
        "percentage": ["50", "1"],
        "type": ["market"],
        "time_in_force": ["day"],
        "after": ["2026-11-19"],
        "start": ["2026-11-19", "2026-11-20T12:00:00Z"],
        "end": ["2026-11-20", "2026-11-20T20:00:00Z"],
        "until": ["2026-11-20"],
    }
    timeframes = {"/v2/account/portfolio/history": ["1D", "1H"]}
    narrowed = copy.deepcopy(document())
    for path, operations in narrowed["paths"].items():
        known["timeframe"] = timeframes.get(path, ["1Min", "1Day"])
        names = {"/v1beta1/crypto": ["BTCUSD", "ETHUSD"], "/v1/locates": ["AMC"]}
        known["symbol"] = next((names[root] for root in names if path.startswith(root)), ["AAPL", "SPY", "AMC"])
        pairs = ["BTC/USD", "BTC/USD,ETH/USD"]
        known["symbols"] = pairs if path.startswith("/v1beta3") else ["AAPL", "AAPL,SPY,AMC,ZZZZ", *pairs]
        known["qty"] = [100] if path == "/v1/locates" else _QUANTITIES
        for operation in operations.values():
            for parameter in operation["parameters"]:
                _narrow(parameter, "schema", known.get(parameter["name"]))
            for content in operation.get("requestBody", {}).get("content", {}).values():
                _narrow_all(content["schema"], known)
    schemas = narrowed["components"]["schemas"]
    unsaid = {name: [None] for name in OBJECTS["OrderRequest"]["properties"] if name not in _SAID}
    _narrow_all(schemas["OrderRequest"], {**known, **unsaid, "qty": _QUANTITIES})
    schemas["OrderRequest"]["required"].append("qty")
    _narrow_all(schemas["ReplaceRequest"], {**known, "limit_price": ["21", "22.5"], "qty": ["3"]})
    schemas["ReplaceRequest"]["required"] = ["limit_price"]
    return narrowed


def _located(url: str) -> str:
    return str(_sent("POST", f"{url}/v1/locates", {"symbol": "AMC", "qty": 100})["id"])


def _narrow_all(schema: dict[str, Any], known: dict[str, list[Any]]) -> None:
    if "properties" in schema:
        schema["additionalProperties"] = False
        for name in schema["properties"]:
            list_ = [["AAPL"], ["SPY", "BTC/USD"]] if name == "symbols" else known.get(name)
            _narrow(schema["properties"], name, list_)


def _narrow(holder: dict[str, Any], key: str, names: list[Any] | None) -> None:
    if names:
        holder[key] = {"enum": names}


def _sent(method: str, address: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.request(method, address, json=body, headers=KEYS, timeout=300)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def main() -> int:
    """Run and print. Returns the exit code."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
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
