"""One cycle asks its journal once before and once after it reads the broker, and reconciles its positions once."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from rebalancer.journal.store import Store
from rebalancer.planning.reconcile import reconcile
from rebalancer.rebalance import cycle
from rebalancer.testing import laws
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.rig import rules


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts transactions that read the journal, within `observe` and elsewhere, and computations of the book."""
    found: Counter[str] = Counter()
    where = ["elsewhere"]
    observe = cycle.observe

    def counting(
        view: Callable[[Store], AbstractContextManager[Any]],
    ) -> Callable[[Store], AbstractContextManager[Any]]:
        @contextmanager
        def counted(store: Store) -> Iterator[Any]:
            found[f"journal {where[-1]}"] += 1
            with view(store) as given:
                yield given

        return counted

    def observed(*args: Any, **kwargs: Any) -> Any:
        where.append("observe")
        try:
            return observe(*args, **kwargs)
        finally:
            where.pop()

    def reconciled(*args: Any, **kwargs: Any) -> Any:
        found["reconcile"] += 1
        return reconcile(*args, **kwargs)

    for name in ("reading", "asking"):  # the two ways to a consistent view
        monkeypatch.setattr(Store, name, counting(getattr(Store, name)))
    monkeypatch.setattr(cycle, "observe", observed)
    for name, module in list(sys.modules.items()):
        if name.startswith("rebalancer.") and getattr(module, "reconcile", None) is reconcile:
            monkeypatch.setattr(module, "reconcile", reconciled)
    return found


def test_what_an_ordinary_cycle_asks(settled: MakeRig, counts: Counter[str]) -> None:
    rig = settled()
    process = rig.process(rules=rules())
    counts.clear()
    result = rig.cycle(process, NEXT, rules(), cycle_id="2026-11-20T15:40Z")
    assert {o.phase for o in result.orders} == {"reduce", "increase"}
    assert counts["reconcile"] == 1
    assert counts["journal observe"] == 3, "before and after the broker is read, and the kill switch on its own"
    laws.check_laws(rig.url, rig.journal_file)
