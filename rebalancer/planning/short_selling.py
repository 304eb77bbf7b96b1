"""Whether a symbol may be sold short."""

from __future__ import annotations

from rebalancer.core.facts import Account, Instrument
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.rules import Rules


def why_not_short(instrument: Instrument, account: Account, rules: Rules) -> Reasons:
    """Why this symbol may not be sold short; nothing when it may."""
    if not rules.position_sizing.allow_short:
        return because(ReasonCode.SHORTS_OFF)
    if instrument.asset_class == "crypto":
        return because(ReasonCode.CRYPTO_NOT_SHORTABLE)
    if not account.shorting_enabled or account.multiplier <= 1:
        return because(ReasonCode.ACCOUNT_NOT_SHORTABLE)
    if not instrument.shortable:
        return because(ReasonCode.NOT_SHORTABLE)
    return NOTHING


def may_be_shorted(instrument: Instrument, account: Account, rules: Rules) -> bool:
    """Whether this symbol may be sold short."""
    return rules.position_sizing.allow_short and not why_not_short(instrument, account, rules)
