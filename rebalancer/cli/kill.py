"""`kill` and `resume`: setting the kill switch, lifting it with a reason, and the further actions of `kill`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.errors import said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import warn
from rebalancer.core.units import amount_of

if TYPE_CHECKING:
    from rebalancer.session.setup import Setup

MODES: Final = ("simulated", "paper", "live")


def throw(config: Sequence[Path] | None, *, reason: str, cancel: bool, flatten: bool = False) -> int:
    """Set the kill switch, then cancel our open orders or close every position if requested. The file is written before
    anything else is tried, even when the configuration, the env file or a secret cannot be read.

    Exit code 4 when something is left open, 78 when the switch is set but the configuration could not be read.
    """
    from rebalancer.execution.kill_switch import write_halt
    from rebalancer.session.setup import load_setup

    try:
        setup = load_setup(config)
    except Exception as error:  # noqa: BLE001 - whatever is broken, stopping must be possible
        return _throw_blindly(reason, error, asked="cancel" if cancel else "flatten" if flatten else "")
    write_halt(setup.state, reason)
    sys.stderr.write(f"kill switch set: nothing will be sent ({reason})\n")
    try:
        _journal(setup, reason)
    except Exception as error:  # noqa: BLE001 - the file alone stops everything
        warn([f"it could not be journalled: {error}"])
    if flatten:
        return _flatten(config, reason, cancel=cancel)
    return _cancel_all(config) if cancel else ExitCode.DONE


def _throw_blindly(reason: str, problem: Exception, *, asked: str) -> int:
    """Set the switch of every mode, since it is unknown which one is traded."""
    from rebalancer.execution.kill_switch import write_halt
    from rebalancer.ops.paths import state_directory

    for mode in MODES:
        write_halt(state_directory(mode), reason)
    sys.stderr.write(f"kill switch set for {', '.join(MODES)}: nothing will be sent ({reason})\n")
    said(problem, ExitCode.CONFIG)
    left = " Nothing was cancelled or closed: do it at the broker, or fix this and run it again." if asked else ""
    sys.stderr.write(f"the kill switch IS set, but the configuration could not be read.{left}\n")
    return ExitCode.CONFIG


def _journal(setup: Setup, reason: str) -> None:
    from rebalancer.execution.kill_switch import KillSwitch
    from rebalancer.journal import Journal

    with Journal.open(setup.journal) as journal:
        latest = journal.cycles(None, 1)
        if latest:
            KillSwitch(setup.state, journal).engage(latest[0].account_id, _now(), reason)


def lift(config: Sequence[Path] | None, *, reason: str) -> int:
    """Lift the kill switch and all latches, and accept changed positions after a halt because of them; prints each. A
    person at a terminal is shown what the next cycle would buy, and asked first. Exit code 5 when nothing was
    lifted."""
    from rebalancer.accounting.acceptance import accept_books
    from rebalancer.accounting.loss_latches import rearm
    from rebalancer.cli.ask import agrees, next_purchases
    from rebalancer.execution.kill_switch import KillSwitch
    from rebalancer.execution.pretrade import rearm_throttle
    from rebalancer.journal import Journal
    from rebalancer.journal.set_back import accept_set_back
    from rebalancer.session.setup import load_setup

    if not reason.strip():
        sys.stderr.write("error: --reason is empty\n  hint: say why it is safe again; it is kept in the journal\n")
        return ExitCode.USAGE
    setup = load_setup(config)
    if not agrees(lambda: next_purchases(setup), "Lift the kill switch and the latched limits?"):
        sys.stderr.write("nothing was lifted: everything stays stopped\n")
        return ExitCode.HALTED
    accepted = accept_set_back(setup.journal, _now(), reason)
    if accepted is not None:
        sys.stderr.write(f"accepted as it is: {accepted}\n")
    with Journal.open(setup.journal) as journal:
        latest = journal.cycles(None, 1)
        account_id = latest[0].account_id if latest else ""
        switch = KillSwitch(setup.state, journal)
        was = switch.reason(account_id)
        for limit in rearm(journal, account_id, _now(), reason):
            sys.stderr.write(f"latched limit lifted: {limit}\n")
        if rearm_throttle(journal, account_id, _now(), reason):
            sys.stderr.write("orders may be sent again: the throttle had stopped them\n")
        if accept_books(journal, account_id, _now(), reason):
            sys.stderr.write("the broker's positions become the new baseline, and the high-water mark restarts\n")
        if was is None:
            sys.stderr.write("the kill switch was not set\n")
            return ExitCode.DONE
        switch.lift(account_id, _now(), reason)
    sys.stderr.write(f"kill switch lifted; it was set because: {was}\n")
    return ExitCode.DONE


def _flatten(config: Sequence[Path] | None, reason: str, *, cancel: bool) -> int:
    """Cancel every open order and close every position, once a person at a terminal has agreed; reports what is left
    open. Without that agreement only what `cancel` asks for is done."""
    from rebalancer.cli.ask import agrees, held_now
    from rebalancer.cli.connection import connected
    from rebalancer.session.flatten_account import flatten_account
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if not agrees(lambda: held_now(setup), "Cancel all open orders and close every position?"):
        sys.stderr.write("nothing was closed; the kill switch stays set\n")
        if cancel:
            _cancel_all(config)
        return ExitCode.NOT_ALL_FILLED
    with connected(setup) as connection:
        done = flatten_account(setup, connection, prefix="kill", because=reason)
    for line in done.lines:
        sys.stdout.write(f"{line}\n")
    return ExitCode.DONE if done.is_flat else ExitCode.NOT_ALL_FILLED


def _cancel_all(config: Sequence[Path] | None) -> int:
    """Cancel every open order that carries our prefix."""
    from rebalancer.cli.connection import connected
    from rebalancer.planning.build_order import ID_PREFIX
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    with connected(setup) as connection:
        broker = connection.connect(setup.rules.broker)
        try:
            ours = [o for o in broker.orders(None) if o.client_order_id.startswith(ID_PREFIX)]
            for order in ours:
                broker.cancel(order.id)
                sys.stdout.write(f"cancel asked: {order.symbol} {order.side} {order.client_order_id}\n")
        finally:
            broker.close()
    sys.stderr.write(f"{amount_of(len(ours), 'open order')}\n")
    return ExitCode.DONE


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a person's action is dated by this machine's clock
