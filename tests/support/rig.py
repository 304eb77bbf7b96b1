"""A whole rebalancer on a real exchange: loopback HTTP, the real alpaca-py, a real journal, and waits that are short.

A `Rig` is one account on one machine. `process()` is one life of the program on it: dropping it and asking for another
is a restart. Faults and crashes are put between the program and its ports, never inside either.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.protocol import BrokerOrder, Position
from rebalancer.brokers.read_only import ReadOnlyBroker
from rebalancer.core.decisions import Order
from rebalancer.core.facts import Signal
from rebalancer.core.reasons import NOTHING
from rebalancer.core.rules import Rules
from rebalancer.exchange.starter import start_exchange
from rebalancer.execution.dry_run import DryRunOrderManager
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.order_manager import LiveOrderManager
from rebalancer.journal import Journal
from rebalancer.market_data.reference import Reference
from rebalancer.market_data.sectors import SectorRow
from rebalancer.ops.clock import one_by_one
from rebalancer.rebalance.cycle import CycleResult, run
from rebalancer.rebalance.recover import recover
from rebalancer.rebalance.world import World
from rebalancer.testing.exchange import ExchangeClock, quick_options
from tests.support.faults import READS, WRITES, Fault, FaultyBroker, Trip, Tripped

CREDENTIALS = Credentials("PKRIG", "rig-secret")
SECTORS = {
    symbol: SectorRow(sector, group, "test", date(2026, 11, 1))
    for sector, rows in {
        "Technology": (("AAPL", "t1"), ("MSFT", "t2"), ("NVDA", "t3")),
        "Finance": (("JPM", "f1"), ("V", "f2")),
        "Energy": (("XOM", "e1"), ("CVX", "e2")),
        "Staples": (("KO", "s1"), ("WMT", "s2"), ("COST", "s3")),
        "Health Care": (("JNJ", "h1"), ("UNH", "h2")),
        "Industry": (("CAT", "i1"), ("HON", "i2")),
        "Utilities": (("DUK", "u1"), ("NEE", "u2")),
        "Crypto": (("BTC/USD", "c1"), ("ETH/USD", "c2")),
    }.items()
    for symbol, group in rows
}


class Signals:
    """The signals of one run: the symbol's score, or whole signals."""

    def __init__(self, given: Mapping[str, float] | Sequence[Signal], number: int) -> None:
        self._given, self._number = given, number

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:
        if not isinstance(self._given, Mapping):
            return tuple(self._given)
        return tuple(
            Signal(f"s{self._number}-{symbol}", symbol, score, 1.0, "external", now - timedelta(seconds=1))
            for symbol, score in sorted(self._given.items())
        )


def rules(**changes: Any) -> Rules:
    """Rules for tests: `execution__order_type="limit"` and so on; limits wide unless given."""
    wide: dict[str, Any] = {
        "execution__max_orders_per_execution": 50,
        "position_sizing__base_position_size": 0.05,
        "position_sizing__max_trade_size": "15000",
        "position_sizing__volatility_scale_min": 1.0,
        "position_sizing__volatility_scale_max": 1.0,
        "risk_management__max_position_risk": 1.0,
        "risk_management__max_trade_heat": 1.0,
        "risk_management__max_drawdown": 0.5,
        "risk_management__max_daily_loss": 0.5,
        "broker__requests_per_minute": 10_000,
    }
    document: dict[str, dict[str, Any]] = {}
    for name, value in (wide | changes).items():
        section, _, key = name.partition("__")
        document.setdefault(section, {})[key] = value
    return Rules.model_validate(document)


class Process(NamedTuple):
    """One life of the program."""

    world: World
    broker: FaultyBroker
    clock: ExchangeClock
    trip: Trip
    journal: Journal

    def close(self) -> None:
        self.journal.close()
        self.broker.real.close()


class Rig:
    """One account: its exchange, its folder, and the program's lives on them."""

    def __init__(
        self,
        folder: Path,
        *,
        sectors: Mapping[str, SectorRow] | None = None,
        together: Any = one_by_one,
        template: Path | None = None,
        **options: Any,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if template is not None:
            shutil.copytree(template, folder, dirs_exist_ok=True)
        state = options.pop("state", folder / "exchange.sqlite")
        self.exchange = start_exchange(quick_options(state, **options))
        self.url = self.exchange.url
        self.journal_file = folder / "journal.sqlite"
        self.sectors = SECTORS if sectors is None else sectors
        self.together = together
        self.posts: list[tuple[Order, bool]] = []
        self.account_id = ""
        self.urgent = False
        self.runs = 0
        self._process: Process | None = None

    def process(self, *, trip_at: int | None = None, dry_run: bool = False, rules: Rules | None = None) -> Process:
        """Begin a new life; the old one, if any, has ended."""
        self.end()
        rules = rules or Rules()
        trip = Trip(trip_at)
        clock = ExchangeClock(self.exchange)
        real = AlpacaBroker(
            CREDENTIALS, Endpoints(self.url), rules.broker, monotonic=clock.monotonic, wait=lambda _: None
        )
        faulty = FaultyBroker(real, self.journal_file, self.posts)
        broker: Any = Tripped(faulty, trip, (*READS, "submit", "cancel"), "broker")
        kept = Journal.open(self.journal_file)
        journal: Any = Tripped(kept, trip, WRITES, "journal")
        if not self.account_id:
            self.account_id = real.account().id
        kill = KillSwitch(self.folder, kept)
        tripping: Any = Tripped(clock, trip, ("wait",), "clock")
        world = World(
            mode="dry_run" if dry_run else "simulated",
            version="test",
            account_id=self.account_id,
            broker=ReadOnlyBroker(broker) if dry_run else broker,
            order_manager=DryRunOrderManager(broker)
            if dry_run
            else LiveOrderManager(
                self.account_id, broker, journal, kill, tripping, self.together, rules, is_urgent=lambda: self.urgent
            ),
            journal=journal,
            signals=Signals({}, 0),
            reference=Reference(broker, self.folder, self.sectors, rules),
            clock=tripping,
            gather=self.together,
            kill=kill,
            traffic=real.traffic,
        )
        self._process = Process(world, faulty, clock, trip, kept)
        return self._process

    def run(
        self,
        signals: Mapping[str, float] | Sequence[Signal],
        rules: Rules,
        *,
        cycle_id: str | None = None,
        dry_run: bool = False,
        trip_at: int | None = None,
        faults: Mapping[str, Fault] | None = None,
        fail_at: int | None = None,
        later_seconds: float = 300,
    ) -> CycleResult:
        """Begin a new life, run one cycle in it, and let five minutes pass."""
        process = self.process(trip_at=trip_at, dry_run=dry_run, rules=rules)
        process.broker.script.update(faults or {})
        process.broker.fail_at = fail_at
        try:
            return self.cycle(process, signals, rules, cycle_id=cycle_id)
        finally:
            self.exchange.clock.advance(later_seconds)

    def cycle(
        self,
        process: Process,
        signals: Mapping[str, float] | Sequence[Signal],
        rules: Rules,
        *,
        cycle_id: str | None = None,
    ) -> CycleResult:
        """One cycle as `session.execute` does it, in the life that is running."""
        self.runs += 1
        world = process.world._replace(signals=Signals(signals, self.runs))
        if world.mode != "dry_run":
            recover(world, world.broker, rules)  # type: ignore[arg-type]  # the live world's broker can cancel
        return run(world, rules, cycle_id)

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of everything asked since the last call of this."""
        found = list(self.exchange.request_log)
        self.exchange.request_log.clear()
        return found

    def client(self) -> AlpacaBroker:
        """Somebody else who trades this account."""
        return AlpacaBroker(CREDENTIALS, Endpoints(self.url), Rules().broker)

    def end(self) -> None:
        """End the life that is running."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def close(self) -> None:
        """Stop the exchange too. Its server takes a while to stop, so it does so behind us."""
        self.end()
        threading.Thread(target=self.exchange.stop, daemon=True).start()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def by_hand(rig: Rig, symbol: str, qty: str, client_order_id: str = "by-hand") -> BrokerOrder | None:
    """Trade past the program: signed shares at the market."""
    client = rig.client()
    shares = Decimal(qty)
    order = Order(
        client_order_id=client_order_id,
        phase="increase",
        symbol=symbol,
        side="buy" if shares > 0 else "sell",
        qty=abs(shares),
        notional=Decimal(0),
        type="market",
        limit_price=None,
        time_in_force="gtc" if "/" in symbol else "day",
        position_intent="buy_to_open" if shares > 0 else "sell_to_close",
        price=Decimal(1),
        reserve=Decimal(0),
        drift=0.0,
        because=NOTHING,
    )
    sent = client.submit(order)
    assert sent.kind == "accepted", sent
    rig.exchange.clock.advance(2)
    found = client.find_order(client_order_id)
    client.close()
    return found


def held(rig: Rig) -> dict[str, Decimal]:
    """What the broker says we hold."""
    client = rig.client()
    found: tuple[Position, ...] = client.positions()
    client.close()
    return {p.symbol: p.qty for p in found}
