"""The embedded paper exchange, started in this process for one run or served for any client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from rebalancer.documents import BadDocument
from rebalancer.rules import Simulation
from rebalancer.values import decimal_of, utc_of


@contextmanager
def embedded_exchange(rules: Simulation, state: Path) -> Iterator[str]:
    """Serve the exchange on a free loopback port while the block runs; its address. Its own clock always stands in an
    open session, so that a run works at any hour; it pauses with the process."""
    from rebalancer.exchange.starter import ExchangeOptions, start_exchange

    options = ExchangeOptions(
        state=state, seed=rules.seed, cash=rules.cash, holdings="starter", open_session=True, start=None
    )
    with start_exchange(options) as running:
        yield running.url


def serve_exchange(
    *,
    host: str,
    port: int,
    state: Path | None,
    seed: int,
    start: str | None,
    cash: str,
    speed: float,
    key: str | None,
    secret: str | None,
    faults: Path | None,
    replay: Path | None,
    admin_port: int | None,
) -> int:
    """Serve until stopped by a signal."""
    from rebalancer.exchange.starter import ExchangeOptions, serve

    try:
        money: Decimal = decimal_of(cash)
        begin = utc_of(start) if start is not None else None
    except ValueError as error:
        raise BadDocument("exchange serve", str(error)) from None
    if (key is None) != (secret is None):
        raise BadDocument("exchange serve", "--key and --secret go together")
    options = ExchangeOptions(
        state=state,
        host=host,
        port=port,
        seed=seed,
        start=begin,
        cash=money,
        speed=speed,
        key=key,
        secret=secret,
        faults=faults,
        replay=replay,
        admin_port=admin_port,
    )
    return serve(options)
