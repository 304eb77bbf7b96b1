"""Reading fault rules. A rule that cannot be understood stops the start: a fault that never strikes proves nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.exchange.faults.kinds import COMMON, KINDS, Kind, Parameter
from rebalancer.exchange.faults.refusals import REFUSALS
from rebalancer.exchange.yaml_file import Place, Where, read_yaml

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ON: Final = re.compile(r"(\*|GET|POST|PATCH|PUT|DELETE) (/[^\s]*)")
_SET: Final = (
    "status", "trading_blocked", "account_blocked", "transfers_blocked", "trade_suspended_by_user", "multiplier",
    "shorting_enabled", "cash", "buying_power", "equity", "last_equity",
)  # fmt: skip


class Rule(NamedTuple):
    """One fault. It fires on matching requests after the first `skip`, at most `times` times, by `probability`."""

    name: str
    kind: str
    method: str = "*"
    path: str = "*"
    symbols: tuple[str, ...] = ()
    event: str = ""
    probability: float = 1.0
    skip: int = 0
    times: int | None = None
    parameters: Mapping[str, Any] = {}


class FaultFile(NamedTuple):
    """The seed of all chances, and the rules in their order."""

    seed: int
    rules: tuple[Rule, ...]


def read_faults_file(path: Path) -> FaultFile:
    """Read a YAML or JSON file. Raises BadDocument that names file, line and key."""
    return faults_of(*read_yaml(path))


def faults_of(document: object, where: Where) -> FaultFile:
    """Check a document of rules. Raises BadDocument."""
    top = _object(document, (), where, ("seed", "rules"))
    seed = top.get("seed", 0)
    if not _is_count(seed):
        raise BadDocument(where(("seed",)), f"{seed!r} is not a whole number from 0 on")
    listed = top.get("rules")
    if not isinstance(listed, list):
        raise BadDocument(where(("rules",)), "is not a list of rules", "write `rules:` and one `- kind: ...` a fault")
    rules = tuple(_rule(row, ("rules", number), where) for number, row in enumerate(listed))
    for number, rule in enumerate(rules):
        if rule.name in {earlier.name for earlier in rules[:number]}:
            raise BadDocument(where(("rules", number)), f"two rules are named {rule.name}", "give each its own name")
    return FaultFile(seed, rules)


def _rule(row: object, place: Place, where: Where) -> Rule:
    fields = _object(row, place, where, None)
    word = fields.get("kind")
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None or not isinstance(word, str):
        raise BadDocument(where((*place, "kind")), f"{word!r} is not a kind of fault", f"one of {', '.join(KINDS)}")
    _object(row, place, where, (*COMMON[kind.site], *kind.parameters))
    name = fields.get("name", f"{word}-{place[-1]}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadDocument(where((*place, "name")), f"{name!r} is not a name of letters, digits, dots and dashes")
    method, path = _on(fields, kind, place, where)
    symbols = fields.get("symbols", [])
    if not isinstance(symbols, list) or not all(isinstance(one, str) for one in symbols):
        raise BadDocument(
            where((*place, "symbols")), f"{symbols!r} is not a list of symbols", "such as [AAPL, BTC/USD]"
        )
    event = fields.get("event", "")
    if not isinstance(event, str):
        raise BadDocument(where((*place, "event")), f"{event!r} is not the name of an event", "such as fill")
    counts = {"skip": fields.get("skip", 0), "times": fields.get("times")}
    for key, value in counts.items():
        if value is not None and not _is_count(value):
            raise BadDocument(where((*place, key)), f"{value!r} is not a whole number from 0 on")
    probability = _checked(
        fields.get("probability", 1.0), Parameter("number", 1.0, 1.0), (*place, "probability"), where
    )
    parameters = {key: _given(fields, key, one, place, where) for key, one in kind.parameters.items()}
    _agree(word, parameters, place, where)
    return Rule(
        name, word, method, path, tuple(symbols), event, probability, counts["skip"] or 0, counts["times"], parameters
    )


def _on(fields: Mapping[str, Any], kind: Kind, place: Place, where: Where) -> tuple[str, str]:
    if not kind.on:
        return "*", "*"
    text = fields.get("request", kind.on)
    match = _ON.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BadDocument(where((*place, "request")), f"{text!r} is not a method and a path", "such as POST /v2/orders")
    return match[1], match[2]


def _given(fields: Mapping[str, Any], key: str, parameter: Parameter, place: Place, where: Where) -> Any:
    if key in fields:
        return _checked(fields[key], parameter, (*place, key), where)
    if parameter.default is None:
        raise BadDocument(where((*place, key)), "is missing", f"a {fields['kind']} needs it")
    return parameter.default


def _checked(value: Any, parameter: Parameter, place: Place, where: Where) -> Any:
    match parameter.shape:
        case "flag":
            fits = isinstance(value, bool)
        case "text":
            value = str(value) if _is_count(value) else value
            fits = isinstance(value, str)
        case "count":
            fits = _is_count(value) and value <= parameter.largest
        case "object":
            fits = True
        case "number":
            fits = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= parameter.largest
            fits = fits and (value >= 0 or parameter.largest == 1e8)
    if not fits:
        limit = f" up to {parameter.largest:g}" if parameter.shape in ("number", "count") else ""
        raise BadDocument(where(place), f"{value!r} is not a {parameter.shape}{limit}")
    return value


def _agree(kind: str, parameters: Mapping[str, Any], place: Place, where: Where) -> None:
    """What the shapes alone do not say."""
    if kind == "refuse" and parameters["reason"] not in REFUSALS:
        problem = f"{parameters['reason']!r} is not a known refusal"
        raise BadDocument(where((*place, "reason")), problem, f"one of {', '.join(REFUSALS)}")
    if kind == "late" and parameters["answer"] not in ("reset", "504"):
        raise BadDocument(where((*place, "answer")), f"{parameters['answer']!r} is not reset or 504")
    if kind == "http_error" and parameters["status"] < 500:
        raise BadDocument(where((*place, "status")), f"{parameters['status']} is not a 5xx status")
    if kind == "drip" and not parameters["bytes_per_second"] > 0:
        raise BadDocument(where((*place, "bytes_per_second")), "is not more than 0")
    if kind == "account_flags":
        _object(parameters["set"], (*place, "set"), where, _SET)
    if kind == "human_trade":
        _object(parameters["order"], (*place, "order"), where, None)


def _object(value: object, place: Place, where: Where, known: tuple[str, ...] | None) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadDocument(where(place), f"{str(value)[:40]!r} is not an object with keys")
    for key in value:
        if not isinstance(key, str) or (known is not None and key not in known):
            raise BadDocument(
                where((*place, str(key))), "is not known here", f"one of {', '.join(known)}" if known else ""
            )
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
