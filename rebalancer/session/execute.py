"""Run one cycle in a world put together from a setup, and return the record that report and terminal are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import NamedTuple

from rebalancer import __version__
from rebalancer.brokers import AlpacaBroker, Credentials, Endpoints, ReadOnlyBroker
from rebalancer.brokers.counted import CountedBroker
from rebalancer.core.decisions import Order
from rebalancer.core.documents import plain
from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, is_pair
from rebalancer.execution.exit_orders import Keeper, NoProtection
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.order_manager import DryDesk, LiveDesk
from rebalancer.execution.pretrade import Gate
from rebalancer.journal import Journal
from rebalancer.journal.records import DRY_RUN
from rebalancer.market_data.reference import Reference
from rebalancer.market_data.sectors import SectorRow, read_sectors
from rebalancer.ops.clock import Clock, SystemClock, Together
from rebalancer.planning.settle import OrderEnd
from rebalancer.rebalance.cycle import CycleResult, Narrow, run
from rebalancer.rebalance.observe import World
from rebalancer.rebalance.recover import recover
from rebalancer.report.records import Finding, Mode, OrderLine, RuleChange, RunRecord, Timing
from rebalancer.session.ownership import account_in_hand, owned
from rebalancer.session.setup import Setup
from rebalancer.session.stop import NEVER, StopOrKill, Stopping
from rebalancer.session.telling import tell_of_cycle
from rebalancer.session.versions import refuse_older
from rebalancer.signals.configured import Sources


class Connection(NamedTuple):
    """How the broker is reached."""

    credentials: Credentials
    endpoints: Endpoints


class Opened(NamedTuple):
    """A world put together, with the broker that counts its calls and can cancel."""

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
) -> RunRecord:
    """Run one cycle. The caller holds the run lock. Raises what `cycle.run` raises."""
    rules = setup.rules
    opened = opened_world(setup, connection, dry_run=dry_run, clock=clock, stopping=stopping, heard=heard)
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
        )
        if not dry_run:
            tell_of_cycle(world.journal, record)
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
) -> Iterator[Opened]:
    """Put a world together for one cycle.

    stopping: asked before every order leaves, beside the kill switch; a reason means that no order is sent any more.
    The exits of what has been traded are still put up. When it is urgent, orders that work are cancelled at once.
    heard: told the name of every call to the broker.
    """
    rules, clock = setup.rules, clock or SystemClock()
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(setup.journal))
        real = AlpacaBroker(connection.credentials, connection.endpoints, rules.broker, monotonic=clock.monotonic)
        stack.callback(real.close)
        broker = CountedBroker(real, heard)
        together = Together(rules.broker.max_concurrent_calls)
        stack.callback(together.close)
        sectors = read_sectors(setup.root / rules.sectors_file)
        reference = Reference(broker, setup.state, sectors, rules)
        account_id = account_in_hand(journal, broker)
        refuse_older(journal, account_id, __version__)
        if not dry_run:
            stack.enter_context(owned(setup, journal, account_id))
        at_the_door = StopOrKill(setup.state, journal, stopping)
        kill = KillSwitch(setup.state, journal)  # a stop holds orders back, not the exits of what has been traded
        gate = Gate(account_id, broker, journal, at_the_door, rules, pairs_kill=kill)
        desk = LiveDesk(
            account_id, broker, journal, at_the_door, clock, together, rules, gate, is_urgent=stopping.is_urgent
        )
        yield Opened(
            World(
                mode=DRY_RUN if dry_run else setup.mode,
                version=__version__,
                account_id=account_id,
                broker=ReadOnlyBroker(broker) if dry_run else broker,
                desk=DryDesk(broker) if dry_run else desk,
                journal=journal,
                kill=kill,
                signals=Sources(rules, setup.root, journal, reference, _sample_universe(sectors), setup.mode, clock),
                reference=reference,
                clock=clock,
                gather=together,
                protection=NoProtection() if dry_run else Keeper(account_id, broker, journal, kill, clock, rules, gate),
                traffic=real.traffic,
                is_stopping=lambda: stopping.reason() is not None,
            ),
            broker,
        )


def record_of(
    result: CycleResult,
    journal: Journal,
    rules: Rules,
    mode: Mode,
    calls: Mapping[str, int],
    started: datetime,
    ended: datetime,
) -> RunRecord:
    """The report's record of a cycle that has just run."""
    sent = {o.client_order_id: o for o in result.orders}
    return RunRecord(
        snapshot=result.snapshot,
        plan=result.plan,
        orders=tuple(
            order_line(o, sent.get(o.client_order_id), result.ends.get(o.client_order_id), journal)
            for o in result.plan.orders
        ),
        verdicts=result.verdicts,
        outcome=result.outcome,
        because=result.because,
        mode=mode,
        account_after=result.account_after,
        positions_after=result.positions_after,
        reconciled=tuple(Finding(f.symbol, f.kind, f.text) for f in result.findings),
        broker_calls=calls,
        timings=tuple(Timing(step, seconds) for step, seconds in result.timings),
        version=__version__,
        rules_changed=changed_rules(rules),
        started_at=result.snapshot.as_of,
        ended_at=result.snapshot.as_of + (ended - started),
        constrained=result.constrained,
    )


def order_line(planned: Order, sent: Order | None, end: OrderEnd | None, journal: Journal) -> OrderLine:
    """One order from plan to end."""
    record = journal.order(planned.client_order_id)
    return OrderLine(
        client_order_id=planned.client_order_id,
        phase=planned.phase,
        symbol=planned.symbol,
        side=planned.side,
        planned_qty=planned.qty,
        funded_qty=sent.qty if sent is not None else ZERO,
        filled_qty=end.filled_qty if end is not None else ZERO,
        filled_avg_price=end.filled_avg_price if end is not None else None,
        state=end.state if end is not None else OrderState.NOT_SENT,
        arrival_price=planned.price,
        reason=record.reason if record is not None else "",
        message=end.message if end is not None else "the cycle ended first",
        sent_at=record.intended_at if record is not None else None,
        ended_at=record.at if record is not None else None,
    )


def _sample_universe(sectors: Mapping[str, SectorRow]) -> tuple[str, ...]:
    """What the bundled sample speaks of: the stocks of the sector file. Crypto pairs need a quote request of their own
    and would cost every cycle one more read."""
    return tuple(sorted(symbol for symbol in sectors if not is_pair(symbol)))


def changed_rules(rules: Rules) -> Mapping[str, RuleChange]:
    """Every rule that is not at its default, keyed "section.key"."""
    found: dict[str, RuleChange] = {}
    _compare("", plain(Rules().model_dump()), plain(rules.model_dump()), found)  # 10000 and 10000.0 are one value
    return found


def _compare(place: str, default: object, value: object, found: dict[str, RuleChange]) -> None:
    if isinstance(default, dict) and isinstance(value, dict) and default:
        for key in value:
            _compare(f"{place}.{key}".lstrip("."), default.get(key), value[key], found)
    elif default != value:
        found[place] = RuleChange(default, value)


def _mode(setup: Setup) -> Mode:
    return "simulated" if setup.mode == "simulated" else "paper"
