"""Close every position now, because a person requested it: `kill --flatten` and `stop --flatten`.

1. what an earlier run left behind is brought to its end
2. every open order of the account is cancelled, whoever placed it, and the cancels are confirmed: they reserve shares
3. positions are closed at the market, through the order manager, journal and pre-trade check of every order; the check
   lets only orders pass that reduce a position, and those even while the kill switch is set
4. positions that could not be closed are retried a few times; what is left then is reported

Stocks cannot be sold while the market is closed: then nothing is queued, their stops and targets stay, since they still
reduce risk and nothing would place them again, and that is reported too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from rebalancer.brokers.protocol import BrokerOrder, TradingBroker
from rebalancer.core.facts import Position
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.core.units import amount_of
from rebalancer.core.values import ZERO, text_of
from rebalancer.core.venue_rules import VenueRules
from rebalancer.execution.await_final import await_final
from rebalancer.execution.order_manager import LiveOrderManager
from rebalancer.execution.order_tracking import NO_INFORMATION
from rebalancer.execution.pretrade import PreTradeCheck
from rebalancer.rebalance.immediate_exits import ExitRequest, ExitResult, exit_positions
from rebalancer.rebalance.recover import recover
from rebalancer.rebalance.world import World

ROUNDS: Final = 3


WAIT_SECONDS: Final = 0.5


CLOSED: Final = "the market is closed; nothing is queued for its opening, and exits that rest at the broker stay"


class LeftPosition(NamedTuple):
    """A position that could not be closed, in signed shares, and why."""

    symbol: str
    qty: Decimal
    why: str


class Flattened(NamedTuple):
    """What a flatten did: orders cancelled, orders whose cancel was not confirmed, signed shares closed by symbol, and
    what is left open."""

    cancelled: int
    still_open: int
    closed: tuple[tuple[str, Decimal], ...]
    left: tuple[LeftPosition, ...]

    @property
    def is_flat(self) -> bool:
        """Nothing is held and no order may still trade."""
        return not self.left and not self.still_open

    @property
    def lines(self) -> tuple[str, ...]:
        """The result in sentences."""
        said = [f"{amount_of(self.cancelled, 'open order')} cancelled"]
        said += [f"closed: {symbol} {text_of(abs(qty))}" for symbol, qty in self.closed]
        if self.still_open:
            said.append(f"not confirmed as cancelled: {amount_of(self.still_open, 'order')}")
        said += [f"left open: {one.symbol} {text_of(one.qty)}: {one.why}" for one in self.left]
        return (*said, "nothing is held" if self.is_flat else "NOT FLAT: close what is left by hand, or run it again")


def flatten(world: World, broker: TradingBroker, rules: Rules, *, prefix: str, because: str) -> Flattened:
    """Close everything. The caller holds the run lock.

    broker: the same as `world.broker`, with the ability to cancel. prefix: of the ids of its cycles, such as "kill".
    Raises what the first readings raise; after that it reports what is left instead.
    """
    world = world._replace(order_manager=_order_manager(world, broker, rules))
    recover(world, broker, rules)
    held = {p.symbol: p.qty for p in _held(world)}
    is_open = broker.clock().session.is_open
    cancelled, still_open = _cancel_all(world, broker, rules, frozenset() if is_open else _exits_of(world, held))
    held = {p.symbol: p.qty for p in _held(world)}
    wanted = {symbol: qty for symbol, qty in held.items() if is_open or _always_open(broker.venue, symbol)}
    left = [LeftPosition(symbol, qty, CLOSED) for symbol, qty in held.items() if symbol not in wanted]
    closed: dict[str, Decimal] = {}
    failed: list[LeftPosition] = []
    for number in range(ROUNDS if wanted else 0):
        if number > 0:
            world.clock.wait(WAIT_SECONDS)
            more, still_open = _cancel_all(world, broker, rules, frozenset() if is_open else _exits_of(world, held))
            cancelled += more
        answers, failed = _round(world, rules, wanted, prefix, because)
        for gone in answers:
            closed[gone.symbol] = closed.get(gone.symbol, ZERO) + gone.filled
        wanted = {one.symbol: one.qty for one in failed}
        if not wanted:
            break
    return Flattened(
        cancelled,
        still_open,
        tuple((symbol, qty) for symbol, qty in sorted(closed.items()) if qty != ZERO),
        tuple(sorted([*left, *failed])),
    )


def _order_manager(world: World, broker: TradingBroker, rules: Rules) -> LiveOrderManager:
    """The order manager of every order, with a pre-trade check that passes only closing orders."""
    gate = PreTradeCheck(world.account_id, broker, world.journal, world.kill, rules, closing_only=True)

    def together(act: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return world.gather(lambda ask: ask(), [partial(act, item) for item in items])

    return LiveOrderManager(world.account_id, broker, world.journal, world.kill, world.clock, together, rules, gate)


def _always_open(venue: VenueRules, symbol: str) -> bool:
    return venue.crypto_always_open and venue.asset_class(symbol) == "crypto"


def _held(world: World) -> list[Position]:
    return [p for p in world.broker.positions() if p.qty != ZERO]


def _round(
    world: World, rules: Rules, wanted: Mapping[str, Decimal], prefix: str, because: str
) -> tuple[tuple[ExitResult, ...], list[LeftPosition]]:
    """Try once to close these positions. Returns what was done, and what is left of them according to the broker."""
    try:
        answers = exit_positions(
            world, rules, [ExitRequest(symbol, "flatten", stated(because)) for symbol in wanted], prefix
        )
    except NO_INFORMATION as error:
        return (), [LeftPosition(symbol, qty, f"the broker does not answer: {error}") for symbol, qty in wanted.items()]
    why = {gone.symbol: gone.problem for gone in answers if gone.problem}
    try:
        held = {p.symbol: p.qty for p in _held(world)}
    except NO_INFORMATION:
        return answers, [LeftPosition(gone.symbol, gone.left, gone.problem) for gone in answers if gone.problem]
    return answers, [LeftPosition(s, held[s], why.get(s, "the position is not gone yet")) for s in wanted if s in held]


def _exits_of(world: World, held: Mapping[str, Decimal]) -> frozenset[str]:
    """The broker's ids of the exits that rest for these positions."""
    return frozenset(i for one in world.protection.kept().values() if one.symbol in held and one.lives for i in one.ids)


def _cancel_all(world: World, broker: TradingBroker, rules: Rules, spared: Set[str]) -> tuple[int, int]:
    """Cancel every open order, but for the broker's ids in `spared`, and wait until none is left. Returns how many
    there were, and how many remain."""
    asked: set[str] = set()

    def look() -> list[BrokerOrder]:
        working = [o for o in broker.orders(None) if not o.state.is_final and o.id not in spared]
        for order in working:
            if order.id not in asked:
                broker.cancel(order.id)
                asked.add(order.id)
        return working

    left = await_final(look, world.clock, world.clock.monotonic() + rules.execution.cancel_timeout_seconds)
    return len(asked), len(left)
