"""One account with a position, the keeper of its exits, and a broker that gives wrong answers by script."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.protocol import Allowed, ExitPair, SendResult
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.rules import Rules
from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.journal import Journal
from rebalancer.planning.exit_levels import ExitLevel
from rebalancer.testing import ExchangeClock
from tests.support.rig import Rig

D = Decimal
PAIR = [("limit", "sell", D(10)), ("stop", "sell", D(10))]


class Lying:
    """The real broker, with answers to the POST of a pair changed by script."""

    def __init__(self, real: AlpacaBroker) -> None:
        self._real = real
        self.script: list[str] = []
        self.deaf = False
        self.posts: list[ExitPair] = []
        self.kill: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> Any:
        if self.deaf and name in ("orders", "order", "cancel", "find_order"):
            return self._silence
        return getattr(self._real, name)

    def _silence(self, *_: object) -> Any:
        raise BrokerUnavailable("no answer")

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        self.posts.append(pair)
        fault = self.script.pop(0) if self.script else ""
        if fault == "refused":
            return SendResult("refused", None, "other", "no")
        if fault == "killed meanwhile":
            self.kill()
        if fault == "lost before":
            return SendResult("unknown", None, "timeout", "")
        result = self._real.submit_pair(pair, allowed=allowed)
        return SendResult("unknown", None, "timeout", "") if fault == "lost after" else result


class Desk(NamedTuple):
    """One account with ten shares of KO, and the keeper of its exits."""

    rig: Rig
    broker: Lying
    journal: Journal
    clock: ExchangeClock
    folder: Path

    def keeper(self, **protection: Any) -> ExitOrderManager:
        rules = Rules.model_validate({"protection": {"mode": "broker", **protection}})
        broker: Any = self.broker
        return ExitOrderManager(
            self.rig.account_id, broker, self.journal, KillSwitch(self.folder, self.journal), self.clock, rules
        )

    def guard(self, stop: str = "0.97", target: str = "1.05", qty: str = "10") -> ExitLevel:
        price = self.broker.quotes(["KO"])[0].bid
        prices = [(price * D(share)).quantize(D("0.01")) for share in (stop, target)]
        return ExitLevel("KO", D(qty), price, prices[0], prices[1], "rules", "rules")

    def resting(self) -> list[tuple[str, str, Decimal | None]]:
        """What works at the broker: type, side and quantity."""
        return sorted((o.type, o.side, o.qty) for o in self.broker.orders(None))

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [dict(e.body) for e in self.journal.events(kind=kind)]
