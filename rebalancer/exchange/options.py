"""How an exchange is to be run: its options and their defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, NamedTuple

DEFAULT_START: Final = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)

ResetClock = Literal["auto", "wall", "simulated"]


class ExchangeOptions(NamedTuple):
    """How to run an exchange. Seed, cash and holdings count only for a fresh state.

    `start` None means 2026-11-20T15:05:00Z for a fresh state, and where it stopped for an old one, which a later start
    moves forward and an earlier one never moves back. Latencies are wall seconds; `speed` is simulated seconds per
    second; `rate_limit_per_minute` 0 turns the limit off, and `rate_limit_reset` says on which clock its end is told
    (auto: the machine's at speed 1, else the simulated one). `faults` is a file of fault rules, `schedule` one of
    dividends, splits, halts and borrowing, `listing` one of names that are added or replaced, `replay` a directory of
    recorded bars that take the place of the simulated prices. `corporate_actions` puts the seed's own dividends and
    splits on the schedule, once. `charges` are what live accounts pay and paper ones do not; `legacy_day_trading`
    brings back the day-trading rule that ended in 2026. The admin port listens on loopback only, None leaves it out, 0
    picks a free one. `allow_hosts` are names, beside those of this machine and `host`, by which clients may call it.
    """

    state: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 7
    start: datetime | None = None
    cash: Decimal = Decimal(100_000)
    holdings: Literal["starter", "none"] = "none"
    open_session: bool = False
    speed: float = 1.0
    key: str | None = None
    secret: str | None = None
    fill_latency_seconds: float = 0.04
    partial_fill_probability: float = 0.1
    rate_limit_per_minute: int = 200
    rate_limit_reset: ResetClock = "auto"
    multiplier: int = 2
    latency_seconds: float = 0.0
    faults: Path | None = None
    schedule: Path | None = None
    corporate_actions: Literal["simulated", "none"] = "none"
    charges: bool = False
    legacy_day_trading: bool = False
    replay: Path | None = None
    listing: Path | None = None
    admin_port: int | None = None
    allow_hosts: tuple[str, ...] = ()
