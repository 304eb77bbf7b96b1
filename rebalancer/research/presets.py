"""Rules that no account could trade under, for comparisons: values outside the ranges of `core.rules`.

`bare` is what simple backtests assume: capital is equity, fractions of a share with six decimals, no bands, no minimum
trade; every cap, budget, buffer and size limit is lifted, and so are heat, position risk, the overnight limit and the
loss limits. The market's regime changes nothing. The venue asks for no collar and no least order. What stays is what
the rules say about signals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.core.venue_rules import ALPACA, VenueRules
from rebalancer.research.market import AccountTerms

PRESETS: Final = ("bare",)
WEIGHT: Final = 5.0  # the largest weight of one name in any file
GROSS: Final = 20.0  # the largest sum of weights in any file
RISK: Final = 100.0  # a fraction of equity that no name reaches
COUNT: Final = 1_000_000_000
MONEY: Final = Decimal(10) ** 12  # USD

_BARE: Final[dict[str, dict[str, Any]]] = {
    "execution": {
        "enabled": True, "max_orders_per_execution": COUNT, "close_buffer_seconds": 0, "order_type": "market",
    },
    "position_sizing": {
        "capital_scaling": 1.0, "max_position_size": WEIGHT, "max_total_exposure": GROSS, "max_long_exposure": None,
        "max_short_exposure": None, "min_trade_size": Decimal(0), "max_trade_size": MONEY, "max_order_value": MONEY,
        "allow_short": True, "fractional": True,
    },
    "risk_management": {
        "max_daily_loss": 1.0, "max_drawdown": 1.0, "max_position_risk": RISK, "max_trade_heat": RISK,
        "max_sector_exposure": GROSS, "sector_limits": {}, "max_unknown_sector_exposure": GROSS,
        "max_correlation_exposure": GROSS, "max_orders_per_day": COUNT, "max_orders_per_symbol_per_day": COUNT,
        "reserved_order_fraction": 0.0, "max_frozen_exposure": 1.0, "buying_power_buffer": 0.0, "max_positions": None,
        "max_correlated_positions": None, "max_stop_distance": None, "max_overnight_leverage": GROSS,
        "overnight_glide_minutes": 0, "flat_by_minutes_before_close": None,
    },
    "regime": {"enabled": False},
    "gate": {"max_order_quantity": MONEY, "max_orders_per_minute": COUNT, "max_price_move": 1.0},
    "protection": {"mode": "off"},
    "quotes": {"max_unusable_fraction": 1.0},
}  # fmt: skip

FREE_VENUE: Final[VenueRules] = ALPACA._replace(
    name="bare",
    collar_low=Decimal(1),
    collar_high=Decimal(1),
    collar_short=Decimal(1),
    collar_crypto=Decimal(1),
    equity_purchase_min=Decimal(0),
    crypto_order_min=Decimal(0),
)
FREE_TERMS: Final = AccountTerms(multiplier=Decimal(1000), venue=FREE_VENUE)


def with_preset(rules: Rules, preset: str | None) -> tuple[Rules, AccountTerms]:
    """The rules with a preset on top, and the account that goes with them. Raises BadDocument for an unknown name."""
    if preset is None:
        return rules, AccountTerms()
    if preset not in PRESETS:
        raise BadDocument("--preset", f"there is no preset {preset!r}", f"there are: {', '.join(PRESETS)}")
    none = {"absolute": 0.0, "relative": 0.0, "to": "centre", "width": "fixed"}
    band = rules.position_sizing.no_trade_band.model_copy(update=none)
    changed = {name: getattr(rules, name).model_copy(update=values) for name, values in _BARE.items()}
    changed["position_sizing"] = changed["position_sizing"].model_copy(update={"no_trade_band": band})
    return rules.model_copy(update=changed), FREE_TERMS
