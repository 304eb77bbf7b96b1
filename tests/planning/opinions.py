"""The part of the random worlds that others tell us: quotes and signals, and what can be wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from numpy.random import Generator

from rebalancer.core.facts import Instrument, Quote, Signal

AS_OF = datetime(2026, 11, 20, 15, 35, 2, tzinfo=UTC)
SOURCES = ("external", "model", "news")


def chance(rng: Generator, p: float) -> bool:
    return bool(rng.random() < p)


def pick(rng: Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def decimal(value: float, places: int) -> Decimal:
    return Decimal(f"{value:.{places}f}")


def quote(rng: Generator, instrument: Instrument, mid: Decimal, *, bad: float) -> Quote | None:
    """A good quote, or with probability `bad` none or one that must not be used."""
    half = max((mid * Decimal("0.0005")).quantize(Decimal("0.01")), Decimal("0.01"))
    at = AS_OF - timedelta(seconds=float(rng.uniform(0, 60)))
    fine = Quote(instrument.symbol, mid - half, mid + half, mid, at)
    if not chance(rng, bad):
        return fine
    match int(rng.integers(8)):
        case 0:
            return None
        case 1:
            return fine._replace(bid=None)
        case 2:
            return fine._replace(ask=None, last=None)
        case 3:
            return fine._replace(bid=fine.ask, ask=fine.bid)
        case 4:
            return fine._replace(at=AS_OF - timedelta(minutes=10))
        case 5:
            return fine._replace(at=AS_OF + timedelta(minutes=10))
        case 6:
            return fine._replace(bid=mid / 2, ask=mid * 2)
        case _:
            return fine._replace(bid=Decimal(0))


def signals(rng: Generator, instruments: tuple[Instrument, ...], prices: dict[str, Decimal]) -> list[Signal]:
    """Opinions of one to three sources about some of the names: also old, doubled, impossible and unknown ones."""
    found: list[Signal] = []
    talk = float(rng.choice([0.0, 0.3, 0.8, 0.95], p=[0.03, 0.22, 0.45, 0.3]))
    for instrument in instruments:
        if not chance(rng, talk):
            continue
        for source in SOURCES[: int(rng.choice([1, 2, 3], p=[0.75, 0.15, 0.1]))]:
            found.append(
                _signal(rng, f"{source}-{instrument.symbol}", instrument.symbol, prices[instrument.symbol], source)
            )
            if chance(rng, 0.06):  # an older or equal opinion of the same source, sometimes with the same id
                twin = found[-1]
                older = twin.issued_at - timedelta(minutes=float(pick(rng, [0.0, 1.0])))
                name = twin.id if chance(rng, 0.5) else twin.id + "-b"
                found.append(
                    twin._replace(id=name, issued_at=older, score=round(float(rng.uniform(-1, 1)), 3), stop_price=None)
                )
    if chance(rng, 0.15):
        found.append(_signal(rng, "nobody", "NOBODY", Decimal(50), "external"))
    return found


def _signal(rng: Generator, name: str, symbol: str, price: Decimal, source: str) -> Signal:
    score = round(float(rng.uniform(-1, 1)) if chance(rng, 0.5) else float(rng.uniform(0.2, 1)), 3)
    stop = None
    if chance(rng, 0.3):
        away = Decimal(str(round(float(rng.uniform(0.005, 0.2)), 4)))
        right = not chance(rng, 0.04)
        stop = (price * (1 - away if (score > 0) == right else 1 + away)).quantize(Decimal("0.01"))
    issued = AS_OF - timedelta(minutes=float(rng.uniform(0, 50)))
    signal = Signal(name, symbol, score, round(float(rng.uniform(0.25, 1)), 3), source, issued, stop)
    if not chance(rng, 0.06):
        return signal
    match int(rng.integers(6)):
        case 0:
            return signal._replace(score=1.5)
        case 1:
            return signal._replace(confidence=-0.1)
        case 2:
            return signal._replace(issued_at=AS_OF + timedelta(hours=1), stop_price=None)
        case 3:
            return signal._replace(stop_price=Decimal(0))
        case 4:
            return signal._replace(issued_at=AS_OF - timedelta(hours=3))
        case _:
            return signal._replace(confidence=0.0)
