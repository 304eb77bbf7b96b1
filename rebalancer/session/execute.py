"""Run one cycle in a World built from a setup, and return the record from which report and terminal output are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from rebalancer.brokers.counted import CountedBroker
from rebalancer.brokers.factory import Connection
from rebalancer.brokers.fenced import Fence
from rebalancer.brokers.protocol import ConnectedBroker
from rebalancer.brokers.read_only import ReadOnlyBroker
from rebalancer.core.decisions import Plan
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.venue_rules import VenueRules
from rebalancer.execution.dry_run import DryRunOrderManager
from rebalancer.execution.exit_orders import ExitOrderManager, NoExitOrders
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.order_manager import LiveOrderManager
from rebalancer.execution.pretrade import PreTradeCheck
from rebalancer.journal import Journal
from rebalancer.journal.records import DRY_RUN
from rebalancer.market_data.reference import Reference
from rebalancer.market_data.sectors import SectorRow, read_sectors
from rebalancer.ops.clock import Clock, SystemClock, Together
from rebalancer.ops.source_status import current_sources
from rebalancer.rebalance.cycle import Narrow, run
from rebalancer.rebalance.recover import recover
from rebalancer.rebalance.world import World
from rebalancer.report.records import Mode, RunRecord
from rebalancer.report.run_record import record_of
from rebalancer.session.alert_rules import report_cycle
from rebalancer.session.ownership import account_in_hand, fenced, owned
from rebalancer.session.setup import Setup
from rebalancer.session.signal_receipts import keep_receipts
from rebalancer.session.stop import NEVER, Stopping
from rebalancer.session.versions import keep_before_upgrade, refuse_older
from rebalancer.signals.configured import ConfiguredSources
from rebalancer.signals.sample import NAMES
from rebalancer.signals.target_books import TargetBooks
from rebalancer.version import __version__


class SharedConnection(NamedTuple):
    """An open connection to the broker, and the threads that ask over it: several Worlds, one after the other, may use
    it. They share its allowance of requests."""

    broker: ConnectedBroker
    together: Together


@contextmanager
def opened_connection(setup: Setup, connection: Connection, clock: Clock) -> Iterator[SharedConnection]:
    """Connect, and close connection and threads at the end of the block."""
    with ExitStack() as stack:
        broker = connection.connect(setup.rules.broker, monotonic=clock.monotonic)
        stack.callback(broker.close)
        together = Together(setup.rules.broker.max_concurrent_calls)
        stack.callback(together.close)
        yield SharedConnection(broker, together)


class Opened(NamedTuple):
    """A World, with the broker that counts its calls and can cancel."""

    world: World
    broker: CountedBroker


def execute(
    setup: Setup,
    connection: Connection,
    *,
    dry_run: bool,
    cycle_id: str | None = None,
    narrow: Narrow | None = None,
    clock: Clock | None = None,
    stopping: Stopping = NEVER,
    heard: Callable[[str], None] | None = None,
    shared: SharedConnection | None = None,
    has_page: Callable[[Plan, CycleOutcome], bool] = lambda _, __: True,
) -> RunRecord:
    """Run one cycle. The caller holds the run lock. has_page: whether the caller will write a page of a cycle that
    planned this and ended so. Raises what `cycle.run` raises."""
    rules = setup.rules
    opened = opened_world(
        setup, connection, dry_run=dry_run, clock=clock, stopping=stopping, heard=heard, shared=shared
    )
    with opened as (world, broker):
        started = world.clock.wall()
        if not dry_run:
            recover(world, broker, rules)
        result = run(world, rules, cycle_id, narrow)
        record = record_of(
            result,
            world.journal,
            rules,
            "dry_run" if dry_run else _mode(setup),
            broker.calls(),
            started,
            world.clock.wall(),
            current_sources(setup.state) if rules.signals.enabled_sources else (),
            has_page=has_page(result.plan, result.outcome),
        )
        if not dry_run:
            report_cycle(world.journal, record, has_substitute=rules.model.fallback_to_external_signals)
            keep_receipts(setup, world, record.snapshot)
        return record


@contextmanager
def opened_world(
    setup: Setup,
    connection: Connection,
    *,
    dry_run: bool,
    clock: Clock | None = None,
    stopping: Stopping = NEVER,
    heard: Callable[[str], None] | None = None,
    shared: SharedConnection | None = None,
) -> Iterator[Opened]:
    """Build the World for one cycle.

    stopping: checked before every order is sent, beside the kill switch; with a reason no further order is sent. The
    exits of what has been traded are still placed. When it is urgent, working orders are cancelled at once. heard:
    called with the name of every call to the broker. shared: stays open; without it, a connection is opened for this
    World alone.
    """
    rules, clock = setup.rules, clock or SystemClock()
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(setup.journal))
        real, together = shared or stack.enter_context(opened_connection(setup, connection, clock))
        fence: list[Fence] = []
        broker = CountedBroker(fenced(setup, real, lambda: fence[0] if fence else None), heard)
        sectors = read_sectors(setup.root / rules.sectors_file)
        reference = Reference(broker, setup.state, sectors, rules)
        account_id = account_in_hand(journal, broker)
        started = refuse_older(journal, account_id, __version__)
        if not dry_run:
            fence.append(stack.enter_context(owned(setup, journal, account_id)))
        keep_before_upgrade(journal, started, __version__, clock.wall(), dry_run=dry_run)
        kill = KillSwitch(setup.state, journal)
        gate = PreTradeCheck(account_id, broker, journal, kill, rules, stopping=stopping.reason)
        order_manager = LiveOrderManager(
            account_id, broker, journal, kill, clock, together, rules, gate, is_urgent=stopping.is_urgent
        )
        yield Opened(
            World(
                mode=DRY_RUN if dry_run else setup.mode,
                version=__version__,
                account_id=account_id,
                broker=ReadOnlyBroker(broker) if dry_run else broker,
                order_manager=DryRunOrderManager(broker) if dry_run else order_manager,
                journal=journal,
                kill=kill,
                signals=ConfiguredSources(
                    rules,
                    setup.root,
                    journal,
                    reference,
                    _sample_universe(sectors, real.venue),
                    setup.mode,
                    clock,
                    setup.state,
                    TargetBooks(journal, account_id, records=not dry_run),
                ),
                reference=reference,
                clock=clock,
                gather=together,
                protection=NoExitOrders()
                if dry_run
                else ExitOrderManager(account_id, broker, journal, kill, clock, rules, gate),
                traffic=real.traffic,
                is_stopping=lambda: stopping.reason() is not None,
            ),
            broker,
        )


def _sample_universe(sectors: Mapping[str, SectorRow], venue: VenueRules) -> tuple[str, ...]:
    """The symbols that the bundled sample covers: those of its own list that are in the sector file. It has no crypto
    pairs: they need a separate quote request and would cost every cycle one more read."""
    return tuple(sorted(s for s in sectors if s in NAMES and venue.asset_class(s) == "us_equity"))


def _mode(setup: Setup) -> Mode:
    return "simulated" if setup.mode == "simulated" else "paper"
