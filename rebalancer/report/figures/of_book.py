"""The figures of the positions held at the end of a window: what the book bets on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rebalancer.performance.risk.factors import Bet
from rebalancer.report.figures.figure import Figures
from rebalancer.report.visible import visible, visible_symbol

WORDS: Final = {
    "market": "Market",
    "sector": "Sector",
    "momentum": "Momentum",
    "low_volatility": "Low volatility",
    "size": "Size",
}
BASKETS: Final = {
    "market": "alone",
    "sector": "the mean of its names less the market",
    "momentum": "the third that rose most in half a year, without the last month, less the lowest third",
    "low_volatility": "the calmest third of 60 days less the wildest",
    "size": "",
}


def bet_name(bet: Bet) -> str:
    """The name of its figures."""
    return f"bets.{bet.kind}[{bet.name}]" if bet.name else f"bets.{bet.kind}"


def bet_words(bet: Bet, benchmark: str) -> str:
    """The factor as people read it."""
    if bet.kind == "market" and benchmark:
        return f"{WORDS[bet.kind]} ({visible_symbol(benchmark)})"
    return f"{WORDS[bet.kind]} {visible(bet.name)}" if bet.name else WORDS[bet.kind]


def add_bets(figures: Figures, day: str, bets: Iterable[Bet]) -> None:
    """The betas of the book at the end of a day, their standard errors, and the days that they rest on."""
    for bet in bets:
        name = bet_name(bet)
        figures.add(name, day, bet.beta, "ratio_signed")
        figures.add(f"{name}.error", day, bet.error, "ratio")
        figures.add(f"{name}.days", day, bet.days, "count")
