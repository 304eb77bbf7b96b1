"""The compiled copy of the numeric core: the same bits, never an old text, and nothing of it where orders are sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rebalancer.core.values import decimal_near
from rebalancer.planning import decide_cycle
from rebalancer.planning.decided import Decided
from rebalancer.planning.liquidation import decide_liquidation
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.to_columns import OutOfRange
from rebalancer.planning.trading_halt import check_trading_halt
from rebalancer.planning.trading_hours import within_trading_hours
from rebalancer.planning.validate_signals import usable_prices, validate_signals
from rebalancer.research import compiled
from tests.planning.test_consensus_laws import changed
from tests.planning.test_targets import with_targets
from tests.planning.worlds import limited, with_costs, world


def decided(seed: int) -> Decided | None:
    """The decision about a world; None when the cycle may not trade."""
    seen = world(seed, calm=seed % 2 == 0)
    seen = limited(seen, seed) if seed % 3 == 0 else seen
    seen = with_targets(seen, seed) if seed % 4 == 1 else seen
    if seed % 5 < 2:
        seen = changed(seen, quorum=1 + seed % 3, veto=(None, 0.2, 0.5)[seed % 7 % 3], disagreement="lower")
    seen = with_costs(seen, seed) if seed % 5 == 3 else seen
    snapshot, rules = seen
    snapshot = within_trading_hours(snapshot, rules)
    book, prices = reconcile(snapshot), usable_prices(snapshot, rules.quotes)
    halt = check_trading_halt(snapshot, rules)
    if halt.stop:
        return None
    capital = (snapshot.account.equity - rules.selection.withdraw) * decimal_near(rules.position_sizing.capital_scaling)
    halt = decide_liquidation(halt, snapshot, book.held, prices.value, rules)
    signals = validate_signals(snapshot, prices, rules).signals
    try:
        return decide_cycle(snapshot, rules, book, prices, signals, halt, capital)
    except OutOfRange:
        return None


def unlike(first: int, last: int) -> tuple[int, list[int]]:
    """How many decisions were compared, and the seeds in which a bit differs."""
    found = {seed: one for seed in range(first, last) if (one := decided(seed)) is not None}
    return len(found), [
        s for s, one in found.items() if repr(compiled.decide_compiled(one.columns)) != repr(one.decision)
    ]


@pytest.fixture(autouse=True)
def _has_compiler() -> None:
    pytest.importorskip("numba")


def test_compiled_and_interpreted_decide_the_same_bits() -> None:
    count, wrong = unlike(0, 400)
    assert (count > 300, wrong) == (True, [])


@pytest.mark.campaign
def test_compiled_and_interpreted_decide_the_same_bits_20_000_times() -> None:
    count, wrong = unlike(10_000, 30_000)
    print(count, "decisions compared")
    assert wrong == []


def test_another_text_is_another_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed text never runs as the old one; the same text is not written twice."""
    said: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled.compiled_core.__wrapped__(said.append)
    compiled.compiled_core.__wrapped__(said.append)
    other = tmp_path / "seams.py"
    other.write_text(compiled.SEAMS.read_text() + "# changed\n")
    monkeypatch.setattr(compiled, "SEAMS", other)
    compiled.compiled_core.__wrapped__(said.append)
    copies = sorted((tmp_path / "rebalancer").iterdir())
    assert (len(copies), len(said)) == (2, 2)
    texts = [(copy / "trades.py").read_text().replace(copy.name, compiled.PACKAGE) for copy in copies]
    original = (Path(compiled.__file__).parents[1] / "planning" / "core" / "trades.py").read_text()
    assert texts == [original, original]


def test_without_the_extra_it_says_which_one_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(compiled.NotCompiled, match="extra `fast`"):
        compiled.compiled_core.__wrapped__(str)


def test_what_trades_never_loads_a_compiler() -> None:
    code = (
        "import sys, pkgutil, importlib, rebalancer\n"
        "for found in pkgutil.walk_packages(rebalancer.__path__, 'rebalancer.'):\n"
        "    if 'research' not in found.name and not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        "print(sorted({'numba', 'llvmlite'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
