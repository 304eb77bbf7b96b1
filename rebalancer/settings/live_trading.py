"""Whether real money may be traded: switches in three separate places, and the account. Pure, but for the command line.

None of the three switches on is ordinary paper trading. All of them on, and the account the one that was named and
confirmed, is live trading. Anything between is refused.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument


class CommandLine(NamedTuple):
    """What this command was told about live trading. Never read from a variable: a forgotten one must not arm it."""

    live: bool = False
    yes: bool = False


COMMAND_LINE: Final[ContextVar[CommandLine | None]] = ContextVar("command_line", default=None)


class Switches(NamedTuple):
    """Everything that must agree. The first three are the switches; the others are about whose account it is."""

    configured: bool  # execution.mode: live
    commanded: bool  # --live, or an armed token
    live_host: bool  # APCA_API_BASE_URL is Alpaca's live host, and the key is no paper key
    account_named: bool  # broker.account_id is set
    account_matches: bool  # the broker reports that account
    confirmed: bool  # its last four characters were typed, or --yes, or an armed token


WORDS: Final = {  # what is missing, when the switch of this name is off
    "configured": "execution.mode: live in the configuration",
    "commanded": "--live on the command line (or: rebalancer arm-live --account LAST4)",
    "live_host": "APCA_API_BASE_URL=https://api.alpaca.markets with live keys in the environment",
    "account_named": "broker.account_id in the configuration",
    "account_matches": "the account: the broker reports another one than broker.account_id",
    "confirmed": "the account's last four characters typed at the terminal (without one: --yes)",
}


def is_wanted(switches: Switches) -> bool:
    """Whether anything asks for live trading."""
    return switches.configured or switches.commanded or switches.live_host


def missing(switches: Switches) -> tuple[str, ...]:
    """What live trading lacks, in words; empty only when everything agrees."""
    return tuple(WORDS[name] for name, on in switches._asdict().items() if not on)


def refuse_disagreement(switches: Switches) -> None:
    """Raise BadDocument (exit 78), naming every switch that is missing."""
    lacking = missing(switches)
    if lacking:
        raise BadDocument(
            "live trading",
            f"the switches do not agree; missing: {'; '.join(lacking)}",
            "set all of them to trade real money, or none of them to trade on paper",
        )
