"""Run histories: `python -m tests.sim --seeds 1-2000 --jobs 2`, or one of them: `python -m tests.sim --seed 17 -v`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.sim.history import Report, quietly, run_seed
from tests.sim.scenario import EXECUTES
from tests.sim.template import forget_template, template
from tests.sim.venue import sessions


def main() -> int:
    """Print figures as JSON; exit 1 when a law was broken."""
    parser = argparse.ArgumentParser(prog="tests.sim", description=__doc__)
    parser.add_argument("--seeds", default="1-100", help="first and last, such as 1-2000")
    parser.add_argument("--seed", type=int, help="one history")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=0, help="stop after so many cycles")
    parser.add_argument("--seconds", type=float, default=0.0, help="stop after so many seconds")
    parser.add_argument("--execute", action="store_true", help="requests by execute between all slots")
    parser.add_argument("-v", "--verbose", action="store_true", help="with --seed: tell the history")
    given = parser.parse_args()
    if given.seed is not None:
        seeds = range(given.seed, given.seed + 1)
    else:
        first, _, last = given.seeds.partition("-")
        seeds = range(int(first), int(last or first) + 1)
    began = time.monotonic()
    figures: Counter[str] = Counter()
    wrong: dict[int, list[str]] = {}
    digest = ""
    for report in _reports(seeds, given.jobs, partial(run_seed, executes=EXECUTES[-1] if given.execute else None)):
        figures += report.figures
        figures["histories"] += 1
        digest = report.digest
        if report.violations:
            wrong[report.seed] = report.violations[:5]
            print(f"seed {report.seed}: {report.violations[0][:1500]}", file=sys.stderr, flush=True)
        if given.verbose:
            print("\n".join(report.lines))
        if given.cycles and figures["cycles"] + figures["settling cycles"] >= given.cycles:
            break
        if given.seconds and time.monotonic() - began > given.seconds:
            break
    seconds = time.monotonic() - began
    cycles = figures["cycles"] + figures["settling cycles"]
    document: dict[str, Any] = {
        "histories": figures["histories"],
        "cycles": cycles,
        "violations": sum(len(said) for said in wrong.values()),
        "violating seeds": sorted(wrong),
        "seconds": round(seconds, 1),
        "cycles per second": round(cycles / seconds, 1),
        "figures": dict(sorted(figures.items())),
    }
    if given.seed is not None:
        document["digest"] = digest
    print(json.dumps(document, indent=1))
    return 1 if wrong else 0


def _reports(seeds: range, jobs: int, run: Callable[[int], Report]) -> Iterator[Report]:
    if jobs == 1:
        yield from map(run, seeds)
        forget_template()
        return
    sessions()  # made once, for all
    template()
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(partial(quietly, run), seeds, chunksize=1)
    forget_template()


if __name__ == "__main__":
    sys.exit(main())
