"""The no-trade band that trading costs justify.

For a constant relative risk aversion g and a cost of c of the value traded, one way, the best weight of a name, a
fraction w of equity, is not traded while what is held is nearer to it than

    width = (3 / (2 g) x c x w^2 x (1 - w)^2)^(1/3)

the leading term for small costs: Gerhold, Guasoni, Muhle-Karbe and Schachermayer, "Transaction costs, trading volume,
and the liquidity premium" (2014), where the spread between bid and ask is 2 c; the cubic root is that of Davis and
Norman (1990) and Rogers (2004). It holds for one name beside cash, so every name is taken by itself. The true region
never reaches zero, but the leading term does where costs are high and the target is small: so it counts only for what
is held on the target's side.

Closing a gap d inside the width is worth c x u x (3 - u^2) / 2 of each dollar that it trades, with u = d / width: the
slope of the loss that the gap causes until it is closed. That is nothing at the target and the cost, c, at the edge.
"""

from __future__ import annotations

from rebalancer.planning.core.columns import Names, Numbers
from rebalancer.planning.core.seams import rule


@rule
def fixed_width(numbers: Numbers, weight: float) -> float:
    """Half the width around a target weight that the rules set, both fractions of capital; none around 0."""
    return max(numbers.band_absolute, numbers.band_relative * abs(weight)) if weight != 0 else 0.0


@rule
def cost_width(names: Names, numbers: Numbers, i: int, weight: float) -> float:
    """Half the width around a target weight, both fractions of capital; 0 where the rules ask for none, where the cost
    is not known, and where trading costs nothing."""
    if numbers.risk_aversion < 0 or names.trading_cost[i] <= 0:
        return 0.0
    share = weight * numbers.capital_scaling
    moves = share * (1.0 - share)
    return cube_root(1.5 / numbers.risk_aversion * names.trading_cost[i] * moves * moves) / numbers.capital_scaling


@rule
def worth_of_gap(cost: float, gap: float, width: float) -> float:
    """What closing a gap inside the width is worth, a fraction of the value traded as `cost` is."""
    part = abs(gap) / width
    return cost * part * (3.0 - part * part) / 2.0


@rule
def cube_root(number: float) -> float:
    """The cubic root of a number of at least 0, by Newton's method from above; the same bits on every machine."""
    if number <= 0:
        return 0.0
    scale = 1.0
    while number < 0.125:  # powers of two are exact
        number *= 8.0
        scale *= 0.5
    while number > 1.0:
        number *= 0.125
        scale *= 2.0
    root = 1.0
    while True:
        lower = root - (root * root * root - number) / (3.0 * root * root)
        if lower >= root:
            return root * scale
        root = lower
