"""What is bought is paid from the account as it is when the reductions have ended, however long they took."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.decisions import Order
from rebalancer.core.outcomes import OrderState, Outcome
from rebalancer.core.reasons import NOTHING
from rebalancer.exchange.admin.actions import halt
from rebalancer.testing import laws
from tests.rebalance.conftest import MakeRig
from tests.rebalance.test_funding import AFTER, invested, invested_rig, outcomes, refused
from tests.support.rig import Rig

FAR_BELOW = Decimal(50)  # USD: an order at this price rests


def reserve_by_hand(rig: Rig) -> None:
    """Somebody else enters an order that rests, and reserves buying power without moving any cash."""
    client = rig.client()
    order = Order(
        "by-hand", "increase", "XOM", "buy", Decimal(150), Decimal(0), "limit", FAR_BELOW, "day", "buy_to_open",
        Decimal(1), Decimal(0), 0.0, NOTHING,
    )  # fmt: skip
    sent = client.submit(order)
    assert sent.kind == "accepted", sent
    client.close()


@pytest.mark.parametrize("multiplier", [1, 2])
def test_buying_power_is_that_after_a_phase_that_took_long(make_rig: MakeRig, multiplier: int) -> None:
    """KO is halted: its sale is cancelled when the phase is over. Meanwhile somebody reserves buying power: cash alone
    does not show it."""
    rig = invested_rig(make_rig, multiplier)
    halt(rig.exchange.exchange, {"symbol": "KO"})
    looks = [0]

    def look(real: Any, *args: Any) -> Any:
        looks[0] += 1
        if looks[0] == 5:
            reserve_by_hand(rig)
        return real(*args)

    result = rig.run(AFTER, invested(multiplier), faults={"orders": look})
    ends = {o.symbol: result.ends[o.client_order_id].state for o in result.orders if o.phase == "reduce"}
    assert ends == {"AAPL": OrderState.FILLED, "KO": OrderState.CANCELED}
    assert refused(rig) == []
    laws.check_laws(rig.url, rig.journal_file)


def test_a_loss_during_the_phase_denies_the_increases(make_rig: MakeRig) -> None:
    """The equity falls below the day's limit while a sale of the phase works; the cash stays what it was."""
    rig = invested_rig(make_rig, 1)
    halt(rig.exchange.exchange, {"symbol": "KO"})
    looks = [0]

    def look(real: Any, *args: Any) -> Any:
        looks[0] += 1
        return real(*args)

    def fallen(real: Any) -> Any:
        account = real()
        return account if looks[0] < 5 else account._replace(equity=account.equity * Decimal("0.4"))

    result = rig.run(AFTER, invested(1), faults={"orders": look, "account": fallen})
    found = outcomes(result)
    assert (found["MSFT"], found["JNJ"]) == (Outcome.DENIED_DAILY_LOSS, Outcome.DENIED_DAILY_LOSS)
    assert [o.symbol for o in result.orders if o.phase == "increase"] == []
    laws.check_laws(rig.url, rig.journal_file)
