"""Decide whether real money may be traded: switches in three separate places, and the account.

With none of the three switches on, it is paper trading. With all of them on, and the named account both matching and
confirmed, it is live trading. Anything in between is refused.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument


class CommandLine(NamedTuple):
    """The live-trading options of this command. Never read from variables: a forgotten one must not enable it."""

    live: bool = False
    yes: bool = False


COMMAND_LINE: Final[ContextVar[CommandLine | None]] = ContextVar("command_line", default=None)


class Switches(NamedTuple):
    """Everything that must agree. The first three are the switches; the others concern the account."""

    configured: bool  # execution.mode: live
    commanded: bool  # --live, or an armed token
    live_host: bool  # APCA_API_BASE_URL is Alpaca's live host, and the key is not a paper key
    account_named: bool  # broker.account_id is set
    account_matches: bool  # the broker reports that account
    confirmed: bool  # its last four characters were typed, or --yes, or an armed token


WORDS: Final = {  # what is missing if the field of this name is false
    "configured": "execution.mode: live in the configuration",
    "commanded": "--live on the command line (or: rebalancer arm-live --account LAST4)",
    "live_host": "APCA_API_BASE_URL=https://api.alpaca.markets with live keys in the environment",
    "account_named": "broker.account_id in the configuration",
    "account_matches": "the account: the broker reports another one than broker.account_id",
    "confirmed": "the account's last four characters typed at the terminal (without one: --yes)",
}


def is_wanted(switches: Switches) -> bool:
    """Whether any switch requests live trading."""
    return switches.configured or switches.commanded or switches.live_host


def missing(switches: Switches) -> tuple[str, ...]:
    """What is missing for live trading, in words; empty only when everything agrees."""
    return tuple(WORDS[name] for name, on in switches._asdict().items() if not on)


def refuse_disagreement(switches: Switches) -> None:
    """Raise BadDocument (exit 78) naming everything that is missing. Call it only if `is_wanted`."""
    lacking = missing(switches)
    if lacking:
        raise BadDocument(
            "live trading",
            f"the switches do not agree; missing: {'; '.join(lacking)}",
            "set all of them to trade real money, or none of them to trade on paper",
        )
