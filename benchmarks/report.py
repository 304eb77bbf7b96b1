"""Size and render time of the day edition with three years of history: `python -m benchmarks.report`.

Import is the report's own modules, cold the first page of a fresh process with the reading of its templates, warm the
best of ten more. Targets: 25 symbols in 100 kB, 100 symbols in 200 kB, 0.3 s each.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rebalancer.report.period.records import PeriodReport

WARM_RUNS = 10
TARGETS = {25: 100_000, 100: 200_000}
SECONDS_MAX = 0.3


def main() -> None:
    """Measure each size in a process of its own and print a table."""
    print(
        f"{'symbols':>8}{'bytes':>10}{'target':>10}{'zipped':>9}{'import s':>10}{'cold s':>8}{'warm s':>8}{'target':>8}"
    )
    for symbols in TARGETS:
        subprocess.run([sys.executable, "-m", "benchmarks.report", str(symbols)], check=True)


def measure(symbols: int) -> None:
    """Render one page again and again and print its line."""
    sample = day_of(symbols)
    began = perf_counter()
    from rebalancer.report.period.page import edition_html

    imported = perf_counter()
    page = edition_html(sample)
    cold = perf_counter() - imported
    times = []
    for _ in range(WARM_RUNS):
        again = perf_counter()
        edition_html(sample)
        times.append(perf_counter() - again)
    body = page.encode()
    print(
        f"{symbols:8}{len(body):10,}{TARGETS[symbols]:10,}{len(zlib.compress(body, 9)):9,}"
        f"{imported - began:10.3f}{cold:8.3f}{min(times):8.3f}{SECONDS_MAX:8.1f}"
    )


def day_of(symbols: int) -> PeriodReport:
    """The sample day with that many symbols in every table, 78 slots and 756 days of history."""
    from rebalancer.core.values import ZERO
    from rebalancer.report.period.records import Gap, Guarded, QualityRow, TradeLine
    from rebalancer.report.period.results import Contribution
    from tests.report.period.sample import OPEN, edition
    from tests.report.sample import many_stories, sample_record

    latest = sample_record(many_stories(symbols))
    names = sorted({position.symbol for position in latest.positions_after})
    orders = zip(latest.orders, latest.plan.orders, strict=True)
    return edition(
        latest=latest,
        trades=tuple(TradeLine(OPEN, latest.plan.cycle_id, line, str(order.because)) for line, order in orders),
        contributions=tuple(Contribution(name, ZERO + n - 7) for n, name in enumerate(names)),
        quality=tuple(QualityRow(name, 1, ZERO + 4000 + n, 2.5, 1.0, 3.1, 0.42) for n, name in enumerate(names)),
        gaps=tuple(Gap(name, 0.04, 0.03, 0.031, {"unfilled": -0.01, "price_move": 0.001}) for name in names),
        guarded=tuple(
            Guarded(p.symbol, p.qty, p.avg_entry_price, p.avg_entry_price, ZERO + 118, None, "at the broker")
            for p in latest.positions_after
        ),
    )


if __name__ == "__main__":
    measure(int(sys.argv[1])) if len(sys.argv) > 1 else main()
