"""Damaged input of three kinds: each case ends in one clear error or in something that is wholly valid."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.brokers.alpaca.account_reading import read_account, read_clock, read_positions
from rebalancer.brokers.alpaca.fields import table, understood
from rebalancer.brokers.alpaca.market_reading import read_bars, read_instruments, read_quote
from rebalancer.brokers.alpaca.order_reading import read_activity, read_order
from rebalancer.brokers.alpaca.refusals import MESSAGE_LENGTH_MAX, refusal_of
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.rules import Rules
from rebalancer.ops.deadline_session import exact_number
from rebalancer.settings.load import load_rules
from rebalancer.signals import read_signals
from tests.fuzz.grammar import damaged

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
SHORT, LONG = 300, 20_000
CSV = (
    "symbol,score,confidence,issued_at\n"
    + "\n".join(
        f"{symbol},{score},0.9,2026-11-20T15:30:00Z"
        for symbol, score in (("AAPL", 0.5), ("BRK.B", -1), ("BTC/USD", 0.25))
    )
    + "\n"
)
JSON = json.dumps(
    [
        {"symbol": s, "score": x, "confidence": 0.5, "issued_at": "2026-11-20T15:30:00Z"}
        for s, x in (("KO", 1), ("V", 0))
    ]
)
ORDER = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d", "client_order_id": "rb-1", "symbol": "AAPL", "asset_class": "us_equity",  # noqa: E501 - one sample
    "side": "buy", "type": "market", "qty": "5", "notional": None, "filled_qty": "2", "filled_avg_price": "190.5",
    "limit_price": None, "status": "partially_filled", "submitted_at": "2026-11-20T15:30:00.123456789Z",
    "created_at": "2026-11-20T15:30:00Z", "filled_at": None, "order_class": "", "legs": None, "replaced_by": None,
}  # fmt: skip
ACCOUNT = {
    "id": "a", "account_number": "PA1", "status": "ACTIVE", "equity": "1000", "last_equity": "1000", "cash": "10",
    "buying_power": "20", "multiplier": "2", "shorting_enabled": True, "trading_blocked": False,
    "account_blocked": False, "trade_suspended_by_user": False, "currency": "USD",
}  # fmt: skip
POSITION = {
    "symbol": "AAPL", "asset_class": "us_equity", "qty": "10", "qty_available": "10", "side": "long",
    "avg_entry_price": "180",
}  # fmt: skip
CLOCK = {
    "timestamp": "2026-11-20T10:35:00-05:00", "is_open": True, "next_open": "2026-11-23T09:30:00-05:00",
    "next_close": "2026-11-20T16:00:00-05:00",
}  # fmt: skip
QUOTE = {
    "latestQuote": {"bp": 189.9, "ap": 190.1, "t": "2026-11-20T15:34:59Z"},
    "latestTrade": {"p": 190.0, "t": "2026-11-20T15:34:58Z"}, "prevDailyBar": {"c": 188.0},
}  # fmt: skip
BARS = {
    "bars": {"AAPL": [{"t": "2026-11-19T05:00:00Z", "c": 190.0, "o": 1, "h": 2, "l": 1, "v": 5}]},
    "next_page_token": None,
}
ACTIVITY = {
    "id": "20261120::1", "activity_type": "FILL", "order_id": "o", "symbol": "AAPL", "side": "buy", "qty": "1",
    "price": "190", "transaction_time": "2026-11-20T15:30:00Z", "type": "fill",
}  # fmt: skip
ASSETS = [{"symbol": "AAPL", "class": "us_equity", "tradable": True, "fractionable": True, "shortable": True,
           "easy_to_borrow": True, "status": "active", "min_trade_increment": None, "price_increment": None}]  # fmt: skip  # noqa: E501 - one sample
READERS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "order": (ORDER, lambda body: read_order(table(body, "order"))),
    "account": (ACCOUNT, lambda body: read_account(body, False)),
    "positions": ([POSITION, POSITION | {"symbol": "MSFT"}], read_positions),
    "clock": (CLOCK, read_clock),
    "quote": (QUOTE, lambda body: read_quote("AAPL", body)),
    "bars": (BARS, lambda body: read_bars(body, "us_equity")),
    "activity": (ACTIVITY, lambda body: read_activity(table(body, "activity"))),
    "assets": (ASSETS, lambda body: read_instruments(body, "us_equity")),
}


def config_is_safe(text: str, folder: Path) -> bool:
    """Load a damaged configuration; True when it was taken."""
    path = folder / "execution.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        rules = load_rules([path], {}).rules
    except BadDocument as error:
        assert str(path) in str(error)  # noqa: PT017 - most cases raise, all of them properly
        assert len(str(error)) < 100_000  # noqa: PT017 - most cases raise, all of them properly
        return False
    assert Rules.model_validate(rules.model_dump()) == rules
    assert 0 < rules.position_sizing.max_position_size <= 1
    return True


def signals_are_safe(text: str, ending: str, folder: Path) -> bool:
    """Read damaged signals; True when they were taken."""
    path = folder / f"signals.{ending}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = read_signals(path, NOW)
    except BadDocument as error:
        assert "signals" in str(error)  # noqa: PT017 - most cases raise, all of them properly
        return False
    for signal in found:
        assert -1 <= signal.score <= 1
        assert 0 <= signal.confidence <= 1
        assert signal.symbol.isascii()
        assert len(signal.symbol) <= 24
        assert signal.issued_at.tzinfo is UTC
    return True


def body_is_safe(kind: str, draws: random.Random) -> bool:
    """Read a damaged answer of the broker; True when it was taken. What is read holds no number that is not one."""
    sample, reader = READERS[kind]
    try:
        body = json.loads(damaged(json.dumps(sample), draws), parse_float=exact_number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    try:
        with understood(kind):
            found = reader(body)
    except BrokerUnavailable:
        return False
    assert_finite(found)
    return True


def assert_finite(value: Any) -> None:
    """No decimal that is no number, and no infinity, anywhere inside."""
    if isinstance(value, Decimal):
        assert value.is_finite()
    elif isinstance(value, float):
        assert not math.isinf(value)  # NaN is how a day without a close is written
    elif isinstance(value, dict):
        for one in value.values():
            assert_finite(one)
    elif isinstance(value, (tuple, list)):
        for one in value:
            assert_finite(one)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def refusal_is_safe(draws: random.Random) -> None:
    """An error answer, however damaged, is read as one of three kinds, in one line."""
    text = damaged('{"code":40310000,"message":"insufficient buying power"}', draws)
    status = draws.choice((200, 301, 400, 401, 403, 404, 408, 422, 429, 500, 502, 504))
    found = refusal_of(status, text)
    assert found.kind in ("refused", "not_sent", "unknown")
    assert found.kind != "refused" or 400 <= status < 500
    assert len(found.message) <= MESSAGE_LENGTH_MAX
    assert found.message.isprintable()


def fuzz_all(cases: int, folder: Path) -> dict[str, int]:
    """So many cases of each kind; how many of them were taken."""
    taken = dict.fromkeys(("config", "csv", "json", *READERS), 0)
    shipped = (ROOT / "config" / "execution.yaml").read_text()
    for number in range(cases):
        draws = random.Random(number)
        taken["config"] += config_is_safe(damaged(shipped, draws), folder)
        taken["csv"] += signals_are_safe(damaged(CSV, draws), "csv", folder)
        taken["json"] += signals_are_safe(damaged(JSON, draws), "json", folder)
        for kind in READERS:
            taken[kind] += body_is_safe(kind, draws)
        refusal_is_safe(draws)
    return taken


def test_damaged_input_ends_in_an_error_or_in_something_valid(tmp_path: Path) -> None:
    taken = fuzz_all(SHORT, tmp_path)
    assert all(0 < taken[kind] < SHORT for kind in ("csv", "json", "order", "account", "positions", "quote", "bars")), (
        taken
    )


def test_the_samples_themselves_are_taken(tmp_path: Path) -> None:
    assert config_is_safe((ROOT / "config" / "execution.yaml").read_text(), tmp_path)
    assert signals_are_safe(CSV, "csv", tmp_path)
    assert signals_are_safe(JSON, "json", tmp_path)
    for kind, (sample, reader) in READERS.items():
        with understood(kind):
            assert reader(json.loads(json.dumps(sample), parse_float=Decimal)) is not None


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_twenty_thousand_cases_of_each(tmp_path: Path) -> None:
    assert sum(fuzz_all(LONG, tmp_path).values()) > LONG
