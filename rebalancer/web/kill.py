"""Set the kill switch from outside: over the API and by the page."""

from __future__ import annotations

from rebalancer.execution.kill_switch import REASON_LENGTH_MAX, write_halt
from rebalancer.web.place import WebPlace
from rebalancer.web.problems import HttpProblem
from rebalancer.web.tokens import WebToken


def set_kill_switch(place: WebPlace, reason: str, token: WebToken) -> bool:
    """Set the switch's file; whether it was set before, which changes nothing. Raises HttpProblem 422."""
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        raise HttpProblem(422, f'say why: {{"reason": "..."}}, at most {REASON_LENGTH_MAX} characters')
    if place.halted() is not None:
        return True
    caller = token.name if token.name.startswith("browser ") else f"token {token.name}"
    write_halt(place.state, f"{' '.join(reason.split())} (over HTTP, {caller})")
    return False
