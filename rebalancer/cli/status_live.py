"""`status --live`: the broker's own answers beside the journal's. Reads only, through a read-only connection."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal

from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.brokers.read_only import ReadOnlyBroker
from rebalancer.cli.connection import connected
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.cli.status import gathered, shown, written
from rebalancer.core.documents import plain
from rebalancer.core.facts import Account, Position
from rebalancer.core.units import quantity_of
from rebalancer.core.values import ZERO, text_of
from rebalancer.journal.exit_order_records import PAIR_PREFIX
from rebalancer.planning.build_order import ID_PREFIX
from rebalancer.report.records import AtTheBroker, StatusView
from rebalancer.report.status import broker_text
from rebalancer.session.setup import Setup, load_setup, report_mode
from rebalancer.settings.live_trading import COMMAND_LINE, CommandLine


def show_both(*, as_json: bool, colour: bool) -> int:
    """Print the status of the configured mode, then what the broker reports. Raises what `ask_broker` raises."""
    setup = load_setup(None)
    view, expected = gathered((report_mode(setup),))
    if as_json:
        sys.stdout.write(written(view, {"broker": plain(ask_broker(setup, view, expected))}))
        return ExitCode.DONE
    sys.stdout.write(shown(view, colour=colour))
    sys.stdout.flush()  # print the journal's part whether or not the broker answers
    at_broker = ask_broker(setup, view, expected)
    sys.stdout.write(broker_text(view, at_broker, width=terminal_width(), colour=colour and wants_colour()))
    return ExitCode.DONE


def ask_broker(setup: Setup, view: StatusView, expected: Mapping[str, Decimal]) -> AtTheBroker:
    """Ask for the account, the positions and the open orders. Raises BrokerUnavailable, CredentialsRefused,
    WrongAccount, or BadDocument for a live account whose switches do not agree."""
    with _only_to_look(setup), connected(setup) as connection:
        broker = connection.connect(setup.rules.broker)
        try:
            reads = ReadOnlyBroker(broker)
            return compared(view, expected, reads.account(), reads.positions(), reads.orders(None))._replace(
                asked_at=reads.clock().now
            )
        finally:
            broker.close()


def compared(
    view: StatusView,
    expected: Mapping[str, Decimal],
    account: Account,
    positions: Sequence[Position],
    orders: Sequence[BrokerOrder],
) -> AtTheBroker:
    """The state in journal and broker, and where they differ. expected: the signed shares that the journal expects."""
    legs = {leg for order in orders for leg in order.legs}
    rests = [order for order in orders if not order.state.is_final and order.id not in legs]
    cycles = sum(order.client_order_id.startswith(ID_PREFIX) for order in rests)
    exits = sum(order.client_order_id.startswith(PAIR_PREFIX) for order in rests)
    held = {position.symbol: position.qty for position in positions}
    said = []
    if view.account_id and view.account_id != account.id:
        said.append("the key belongs to a different account from the journal's")
    for symbol in sorted(expected.keys() | held.keys()):
        here, there = expected.get(symbol, ZERO), held.get(symbol, ZERO)
        if here != there:
            said.append(
                f"{symbol}: {quantity_of(text_of(here), symbol)} in the journal, {text_of(there)} at the broker"
            )
    known = view.open_orders + view.unknown_orders
    if cycles != known:
        said.append(f"orders of cycles: {known} open in the journal, {cycles} at the broker")
    return AtTheBroker(
        asked_at=view.now,
        account_id=account.id,
        equity=account.equity,
        cash=account.cash,
        positions=len(positions),
        open_orders=cycles,
        exit_orders=exits,
        foreign_orders=len(rests) - cycles - exits,
        restrictions=account.restrictions,
        differences=tuple(said),
    )


@contextmanager
def _only_to_look(setup: Setup) -> Iterator[None]:
    """Adapt the setup for reading: here --live means to ask the broker; it is not the switch for live trading, and
    reading needs no confirmation. All other switches of a live account must agree as always."""
    is_live = setup.mode == "live"
    token = COMMAND_LINE.set(CommandLine(live=is_live, yes=is_live))
    try:
        yield
    finally:
        COMMAND_LINE.reset(token)
