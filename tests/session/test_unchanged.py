"""A look that is left out on a simulated day would have found nothing: tried on a day on which all kinds of things
happen."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.cli.played_exchange import ExchangeWithin
from rebalancer.core.rules import Rules
from rebalancer.exchange.admin import actions
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.errors import ApiError
from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.rebalance.world import World
from rebalancer.session.monitor import Monitor
from tests.support.rig import Process, Rig, by_hand

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")
NAMES = ("KO", "JPM", "MSFT", "XOM", "NVDA", "BTC/USD")
STEPS = 160
STALE = {"rules": [{"kind": "stale_quote", "symbols": ["KO"], "seconds": 600}]}


class Account:
    """An account with a monitor that may leave looks out, and what is done to it from outside."""

    def __init__(self, rig: Rig, mode: str, seed: int) -> None:
        self.rig, self.random, self.halted = rig, random.Random(seed), False
        self.rules = Rules.model_validate(
            {"protection": {"mode": mode, "stop_loss": 0.0012, "take_profit": 0.0015, "cool_off": "none"}}
        )
        self.process: Process = rig.process(rules=self.rules)
        self.market = ExchangeWithin(rig.exchange.exchange)
        self.monitor = Monitor(self.rules, look_seconds=15.0, market=self.market)
        self.orders = 0

    def world(self) -> World:
        process, broker = self.process, self.process.world.broker
        kill = KillSwitch(self.rig.folder, process.journal)
        kept: Any = ExitOrderManager(self.rig.account_id, broker, process.journal, kill, process.clock, self.rules)  # type: ignore[arg-type]
        return process.world._replace(protection=kept)

    def dawn(self) -> None:
        """Pass over the night."""
        now, following = self.rig.exchange.clock.micros(), self.rig.exchange.exchange.sessions.next_open
        self.rig.exchange.clock.advance((following(now).open - now) / MICROS + 1800)

    def happen(self) -> str:
        """Something, or nothing, between two looks."""
        what = self.random.choices(
            ("nothing", "buy", "limit", "halt", "faults", "calm", "row", "split", "dawn"), (60, 8, 4, 2, 2, 4, 2, 1, 1)
        )[0]
        exchange = self.rig.exchange.exchange
        match what:
            case "buy":
                self.orders += 1
                symbol = self.random.choice(NAMES)
                qty = "0.05" if "/" in symbol else str(self.random.choice((1, 3, 2.5)))
                by_hand(self.rig, symbol, qty, f"hand-{self.orders}")
            case "limit":
                actions.trade(
                    exchange,
                    {"symbol": "KO", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc",
                     "limit_price": str(exchange.market.last("KO", exchange.clock.micros()) - Decimal("0.05"))},
                )  # fmt: skip
            case "halt":
                self.halted = not self.halted
                actions.halt(exchange, {"symbol": "JPM", "halted": self.halted})
            case "faults":
                actions.change_faults(exchange, STALE)
            case "calm":
                exchange.faults.clear()
            case "row":
                now = self.process.world.broker.now()
                self.process.journal.record_event(self.rig.account_id, None, now, "note", "KO", {"by": "another"})
            case "split":
                day = date.fromordinal(exchange.sessions.next_open(exchange.clock.micros()).day).isoformat()
                with suppress(ApiError):  # one is announced already
                    actions.split(
                        exchange, {"symbol": self.random.choice(NAMES[:5]), "old": 1, "new": 2, "ex_date": day}
                    )
            case "dawn":
                self.dawn()
        self.process.clock.wait(15)
        return what


@pytest.mark.parametrize(("mode", "seed"), [("monitor", 2), ("broker", 3)])
def test_what_is_left_out_would_have_found_nothing(tmp_path: Path, mode: str, seed: int) -> None:
    seen = Counter[str]()
    with Rig(tmp_path) as rig:
        account = Account(rig, mode, seed)
        journal, world = account.process.journal, account.world()
        for _ in range(STEPS):
            seen[account.happen()] += 1
            if account.monitor.is_unchanged(journal, world.broker.now()):
                seen["left out"] += 1
                if account.random.random() < 0.5:
                    continue
                row, revision = journal.last_row(), account.market.revision()
                assert account.monitor.look(world) == ()
                assert (journal.last_row(), account.market.revision()) == (row, revision)
            else:
                seen["exits"] += len(account.monitor.look(world))
    assert all(seen[what] for what in ("buy", "limit", "halt", "faults", "calm", "row", "dawn")), seen
    assert mode == "broker" or min(seen["left out"], seen["exits"]) > 10, seen
    assert mode == "monitor" or seen["left out"] < STEPS, seen


def test_prices_from_within_are_those_of_the_api(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        broker, market = rig.process().world.broker, ExchangeWithin(rig.exchange.exchange)
        asked = [*NAMES, "TWTR", "NONE", "KO"]
        for seconds in (0, 1, 14, 15, 3600, 8 * 3600):
            rig.exchange.clock.advance(seconds)
            assert market.quotes(asked) == broker.quotes(asked)
        assert {quote.symbol for quote in broker.quotes(asked)} == set(NAMES)
        assert market.revision() is not None
        actions.change_faults(rig.exchange.exchange, STALE)
        assert market.revision() is None


def test_a_monitor_that_cannot_see_the_market_from_within_looks_every_time(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        process = rig.process()
        monitor = Monitor(Rules())
        assert monitor.look(process.world) == ()
        assert not monitor.is_unchanged(process.journal, process.world.broker.now())
