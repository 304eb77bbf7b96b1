"""Exact arithmetic of money, prices, quantities and rates; every function says which way it rounds.

Arguments are not negative. No intermediate product leaves 63 bits while prices and divisors are at most 2e12 and money
and quantities at most 4e18, which `to_columns` sees to.
"""

from __future__ import annotations

from typing import Final

from rebalancer.planning.core.seams import rule

NOISE: Final = 0.1  # of a trillionth: more than rounding leaves in a weight
SMALL: Final = 1_000_000
DIRECT: Final = 4_000_000  # up to here a product with 2e12 fits
MONEY_DIRECT: Final = 9_000_000_000_000  # up to here a product with `SMALL` fits


@rule
def scaled(part: int, factor: int, whole: int) -> int:
    """part x factor / whole for part < whole <= 2e12 and factor <= 2e12, rounded down."""
    if factor <= DIRECT:
        return part * factor // whole
    high, rest = factor // SMALL, factor % SMALL
    upper, lower = high // SMALL, high % SMALL
    first = part * upper
    second = first % whole * SMALL + part * lower
    third = second % whole * SMALL + part * rest
    return (first // whole * SMALL + second // whole) * SMALL + third // whole


@rule
def value_down(quantity: int, price: int, divisor: int) -> int:
    """Micro-dollars of a quantity, rounded down."""
    if divisor == 1:
        return quantity * price
    if divisor == SMALL:  # the usual fraction of a share: a divisor that the compiler knows is fast, and products fit
        return quantity // SMALL * price + quantity % SMALL * price // SMALL
    return quantity // divisor * price + scaled(quantity % divisor, price, divisor)


@rule
def value_up(quantity: int, price: int, divisor: int) -> int:
    """Micro-dollars of a quantity, rounded up."""
    if divisor == 1:
        return quantity * price
    if divisor == SMALL:
        return quantity // SMALL * price + (quantity % SMALL * price + SMALL - 1) // SMALL
    part = quantity % divisor
    found = scaled(part, price, divisor)
    if not is_exact(part, price, divisor):
        found += 1
    return quantity // divisor * price + found


@rule
def is_exact(part: int, price: int, divisor: int) -> bool:
    """Whether part x price is a multiple of the divisor; a power of ten, so two remainders settle it."""
    if price <= DIRECT:
        return part * price % divisor == 0
    high = part * (price // SMALL) % divisor * SMALL
    return (high + part * (price % SMALL)) % divisor == 0


@rule
def affordable(money: int, price: int, divisor: int, lot: int) -> int:
    """The largest quantity that this much money pays for, in whole lots: rounded down."""
    if divisor == SMALL and money <= MONEY_DIRECT:
        quantity = money * SMALL // price
    else:
        quantity = money // price * divisor
        if divisor != 1:
            quantity += scaled(money % price, divisor, price)
    return quantity if lot == 1 else quantity // lot * lot


@rule
def needed(money: int, price: int, divisor: int, lot: int) -> int:
    """The smallest quantity in whole lots that is worth this much money: rounded up."""
    quantity = affordable(money, price, divisor, lot)
    return quantity if value_down(quantity, price, divisor) >= money else quantity + lot


@rule
def part_of(money: int, rate: int) -> int:
    """Rate trillionths of an amount of money, rounded down."""
    high, low, over, under = money // SMALL, money % SMALL, rate // SMALL, rate % SMALL
    return high * over + (high * under + low * over + low * under // SMALL) // SMALL


@rule
def trillionths(weight: float) -> int:
    """The magnitude of a fraction in whole trillionths, rounded down but for `NOISE`: its last bits decide nothing."""
    return int(abs(weight) * 1e12 + NOISE)


@rule
def fraction(quantity: int, price: int, divisor: int, capital: int) -> float:
    """The value of a signed quantity as a fraction of capital."""
    return float(quantity) * float(price) / (float(divisor) * float(capital))


@rule
def signed(size: int, like: int) -> int:
    """A magnitude with the sign of another number."""
    return size if like >= 0 else -size
