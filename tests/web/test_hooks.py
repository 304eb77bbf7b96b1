"""Hooks: TradingView's alerts become signals, the same one twice is one, and no secret is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.signals.receipts.inbox_rows import InboxRow
from tests.web.conftest import Server


class Hook:
    def __init__(self, server: Server) -> None:
        self.server, self.url = server, f"{server.hooks}/hooks/hook/{server.tokens['hook']}"
        self.seen = len(self._rows(0))

    def post(self, body: Any, **more: Any) -> requests.Response:
        given = {"data": body} if isinstance(body, (str, bytes)) else {"json": body}
        return requests.post(self.url, timeout=60, **given, **more)

    def new(self) -> list[InboxRow]:
        rows = self._rows(self.seen)
        self.seen += len(rows)
        return rows

    def _rows(self, after: int) -> list[InboxRow]:
        with SignalInbox.open(self.server.state / "inbox.sqlite") as inbox:
            return list(inbox.after(0, 100_000))[after:]


@pytest.fixture
def hook(server: Server) -> Hook:
    return Hook(server)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"ticker": "AAPL", "action": "buy", "price": 190, "contracts": 3}, '"score":1.0'),
        ({"ticker": "NASDAQ:AAPL"[7:], "action": "sell", "confidence": "0.5"}, '"confidence":0.5'),
        ("buy KO 0.8", '"confidence":0.8'),
        ({"symbol": "PG", "score": 0.4, "confidence": 0.7}, '"score":0.4'),
        ({"symbol": "PG", "action": "BUY", "confidence": 85, "source": "somebody"}, '"source":"hook"'),
        ({"ticker": "XOM", "market_position": "flat", "action": "sell"}, '"target":"0"'),
    ],
)
def test_an_alert_becomes_a_signal_of_the_hook(hook: Hook, body: Any, content: str) -> None:
    answer = hook.post(body)
    assert answer.status_code == 202
    (row,) = hook.new()
    assert answer.json() == {"receipts": [{"id": row.receipt, "problem": None}]}
    assert (row.source, content in row.content) == ("hook", True)


@pytest.mark.parametrize(
    "body",
    [
        "sell MSFT 0.7",
        {"ticker": "MSFT", "action": "buy", "id": "mine"},
        {"ticker": "MSFT", "action": "buy", "timenow": "2026-11-20T15:35:00Z"},
    ],
)
def test_twice_is_once(hook: Hook, body: Any) -> None:
    answers = [hook.post(body).json() for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert len(hook.new()) == 1


def test_a_flat_position_holds_until_the_hook_says_something_else(hook: Hook) -> None:
    def book() -> dict[str, Decimal | None]:
        with SignalInbox.open(hook.server.state / "inbox.sqlite") as inbox:
            return {t.symbol: t.target for book in inbox.books() if book.source == "hook" for t in book.targets}

    flat = {"ticker": "CVX", "market_position": "flat", "action": "sell"}
    hook.post(flat)
    hook.post({"ticker": "COP", "market_position": "flat", "action": "sell"})
    assert book()["CVX"] == book()["COP"] == Decimal(0)
    hook.post({"ticker": "CVX", "market_position": "long", "action": "buy"})
    assert ("CVX" in book(), "COP" in book()) == (False, True)
    hook.post(flat)  # a repetition of the first one changes nothing
    assert "CVX" not in book()


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 422), ("hello", 422), ("[1]", 422), ("{", 400), (b"\xff", 400), ("x" * 70_000, 413),
     ({"ticker": "AAPL", "action": "dance"}, 422), ([{"ticker": "AAPL", "action": "buy"}] * 101, 422)],
)  # fmt: skip
def test_what_is_no_alert_is_refused(hook: Hook, body: Any, status: int) -> None:
    answer = hook.post(body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert hook.server.tokens["hook"] not in answer.text
    assert hook.new() == []


def test_a_page_of_another_site_cannot_use_a_hook(hook: Hook) -> None:
    assert hook.post("buy AAPL", headers={"Origin": "https://evil.example"}).status_code == 403
