"""Time backtests beside peers: `python -m benchmarks.backtest [--peers DIR] [--case NAME]...`.

    rules      this program with every default cap, and costs: capital is equity, no bands, every order budget lifted
    bare       this program, `--preset bare`: no caps or bands; fees as the peers
    peers      vectorbt, bt, backtrader, zipline-reloaded on the same weights at every bar, 0.02 % of the value as fee

Each is a process of its own. Peers run in environments of their own, DIR/vectorbt and so on; `--install` makes those
that are missing, with the versions below. What cannot be installed or run is said in the table.

Seconds are of the simulation without reading files: wall and processor time of the first run in a process (compiling
included, where there is a compiler and nothing is cached), and of the best of the following. On a machine that does
other work compare processor time. Memory is the peak of the process with everything it imports.

The peers do less (no caps, no codes, no reasons, no audit) and more (event engines simulate orders one by one). The
event engines would take many minutes: they run 1/40 and 1/20 of the bars, and the table has what the slope between the
two comes to for all bars, marked with *. zipline takes every bar as a day.

`--linear` times this program at 5,000, 10,000 and 20,000 bars of 50, 100 and 200 names. `--interpreted` adds this
program without the compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np

FEE: Final = 0.0002
CASES: Final = {"five-minute year x 100": (252, 78, 100), "ten years of days x 500": (2520, 1, 500)}
PEERS: Final = {  # repeats, and what is installed
    "vectorbt": (3, ["vectorbt==1.2.0"]),
    "bt": (1, ["bt==1.4.1"]),
    "backtrader": (1, ["backtrader==1.9.78.123", "pandas==3.1.1"]),
    "zipline-reloaded": (1, ["zipline-reloaded==3.2.1"]),
}
EVENTS: Final = ("backtrader", "zipline-reloaded")
PARTS: Final = (40, 20)
OWN: Final = (("rules", "", ""), ("rules, audited", "", "audited"), ("bare", "bare", ""))
GRID: Final = ((5_000, 10_000, 20_000), (50, 100, 200))
SCRIPTS: Final = Path(__file__).with_name("peers")
HEAD: Final = f"{'':<28} {'first s':>9} {'best s':>8} {'cpu s':>8} {'MB':>6} {'final equity':>14}"


def made(days: int, bars_a_day: int, names: int, path: Path) -> None:
    """Random walks and random weights that sum to one, as arrays."""
    draw = np.random.default_rng(7)
    bars = days * bars_a_day
    steps = draw.normal(0.0003 / bars_a_day, 0.015 / bars_a_day**0.5, (bars, names))
    close = np.round(50 * np.exp(np.cumsum(steps, axis=0)), 4)
    raw = draw.random((bars, names))
    dates = np.busday_offset("2010-01-04", np.arange(days), roll="forward").astype("datetime64[ns]")
    minutes = np.timedelta64(14 * 60 + 35, "m") if bars_a_day > 1 else np.timedelta64(21 * 60, "m")
    within = np.arange(bars_a_day) * np.timedelta64(5, "m")
    times = (dates[:, None] + minutes + within[None, :]).reshape(-1).astype("datetime64[ns]")
    symbols = np.array([f"N{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(names)])
    ordinals = np.repeat(dates.astype("datetime64[D]").astype(np.int64) + 719163, bars_a_day)
    np.savez(
        path, close=close, weights=np.round(raw / raw.sum(axis=1, keepdims=True), 6), symbols=symbols, day=ordinals,
        times=times.view(np.int64),
    )  # fmt: skip


def own(path: Path, preset: str | None, repeats: int, *, audits: bool, interpreted: bool) -> dict[str, Any]:
    """This program on the same arrays; called in a process of its own."""
    from rebalancer.core.rules import Rules
    from rebalancer.research.audit import simulate
    from rebalancer.research.backtest import load_engine
    from rebalancer.research.market import CostModel, Instructions, Market, SimulationSetup
    from rebalancer.research.presets import with_preset
    from rebalancer.research.price_files import last_of_day
    from rebalancer.research.reference_columns import reference_columns
    from rebalancer.research.simulate import simulated

    with np.load(path) as data:
        close, day, times, weights = data["close"], data["day"], data["times"], data["weights"]
        symbols = tuple(str(name) for name in data["symbols"])
    market = Market(symbols, times, close, None, None, day, last_of_day(day))
    rules = Rules.model_validate(
        {
            "execution": {"max_orders_per_execution": 10_000},
            "position_sizing": {
                "capital_scaling": 1.0,
                "max_total_exposure": 1.0,
                "min_trade_size": 1,
                "fractional": True,
                "no_trade_band": {"absolute": 0.0, "relative": 0.0},
            },
            "risk_management": {"max_orders_per_day": 10_000, "max_orders_per_symbol_per_day": 10_000},
            "gate": {"max_orders_per_minute": 10_000},
        }
    )
    in_force, terms = with_preset(rules, preset)
    costs = CostModel(FEE * 10_000, 0.0, float("inf"), preset is None, 0.0, 0.0)
    if not interpreted:
        load_engine()
    seconds, cpu = [], []
    for _ in range(repeats):
        begun, used = perf_counter(), process_time()
        setup = SimulationSetup(
            market, Instructions("targets", weights), in_force, costs, 100_000.0, "same_close",
            np.ones(len(day), dtype=bool), reference_columns(market, {}, in_force), terms,
        )  # fmt: skip
        run = simulate(setup) if audits else simulated(setup, interpreted=interpreted)
        result = run.result
        seconds.append(perf_counter() - begun)
        cpu.append(process_time() - used)
        del run, setup
    return {
        "seconds": seconds,
        "cpu": cpu,
        "final": float(result.equity[-1]),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "version": result.engine,
        "orders": result.orders,
        "audit": list(result.audit) if audits else [],
    }


def ran(words: list[str]) -> dict[str, Any] | str:
    """The JSON line that a process printed, or its last error line."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1][:100]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def line(name: str, found: dict[str, Any] | str, mark: str = "") -> str:
    """One row of the table. mark: said beside figures that are computed from parts."""
    if isinstance(found, str):
        return f"{name:<28} {found}"
    first, *rest = found["seconds"]
    best = f"{min(rest):8.2f}" if rest else f"{'-':>8}"
    cpu = min(found["cpu"][1:] or found["cpu"])
    said = f"{first:9.2f} {best} {cpu:8.2f} {found['mb']:6.0f} {found['final']:14.2f}  {found['version']}{mark}"
    audit = found.get("audit")
    return f"{name:<28} {said}{f'  audited {audit[0]}: {audit[1]} differences' if audit else ''}"


def of_this(path: Path, preset: str, how: str) -> dict[str, Any] | str:
    """This program, in a process of its own."""
    return ran([sys.executable, "-m", "benchmarks.backtest", "--own", str(path), preset, how])


def of_peer(folder: Path, peer: str, paths: list[Path]) -> tuple[dict[str, Any] | str, str]:
    """A peer, and a mark where the figures are computed from parts. paths: all bars; 1/40; 1/20."""
    python, script = folder / peer / "bin" / "python", SCRIPTS / f"{peer.removesuffix('-reloaded')}_run.py"
    if not python.exists():
        return f"is not installed in {folder}", ""

    def one(path: Path) -> dict[str, Any] | str:
        return ran([str(python), str(script), str(path), str(FEE), str(PEERS[peer][0])])

    if peer not in EVENTS:
        return one(paths[0]), ""
    few, more = one(paths[1]), one(paths[2])
    if isinstance(few, str) or isinstance(more, str):
        return few if isinstance(few, str) else more, ""
    factor = (1 - 1 / PARTS[1]) / (1 / PARTS[1] - 1 / PARTS[0])
    whole = {
        what: [more[what][0] + (more[what][0] - few[what][0]) * factor] for what in ("seconds", "cpu")
    }  # what all bars take, if each takes as long as those between the two parts
    return {**more, **whole}, f" * from 1/{PARTS[0]} and 1/{PARTS[1]} of the bars; MB and equity are of 1/{PARTS[1]}"


def install(folder: Path) -> None:
    """Make the environments of the peers that are missing."""
    for peer, (_, packages) in PEERS.items():
        python = folder / peer / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder / peer)], check=True)
            done = subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=False)
            say(f"{peer}: {'installed' if done.returncode == 0 else 'cannot be installed here'}")


def compare(case: str, peers: Path | None, *, interpreted: bool) -> None:
    """One case as a table."""
    days, bars_a_day, names = CASES[case]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{part}.npz" for part in (1, *PARTS)]
        for path, part in zip(paths, (1, *PARTS), strict=True):
            made(days // part, bars_a_day, names, path)
        say(f"\n{case}: {days * bars_a_day:,} bars; load {os.getloadavg()[0]:.1f}\n{HEAD}")
        for name, preset, how in (*OWN, *((("rules, interpreted", "", "interpreted"),) if interpreted else ())):
            say(line(name, of_this(paths[0], preset, how)))
        for peer in PEERS if peers is not None else ():
            assert peers is not None
            say(line(peer, *of_peer(peers, peer, paths)))


def grow() -> None:
    """Processor time and memory of this program by bars and names."""
    say(f"\nrules: cpu s, microseconds a bar and name, MB\n{'bars':>8}" + "".join(f"{n:>22} names" for n in GRID[1]))
    for bars in GRID[0]:
        cells = []
        for names in GRID[1]:
            with tempfile.TemporaryDirectory() as folder:
                made(bars // 10, 10, names, Path(folder) / "data.npz")
                found = of_this(Path(folder) / "data.npz", "", "")
            if isinstance(found, str):
                cells.append(f"{found:>28}")
                continue
            cpu = min(found["cpu"][1:])
            cells.append(f"{cpu:12.2f} {cpu / bars / names * 1e6:6.2f} {found['mb']:8.0f}")
        say(f"{bars:8,}" + "".join(cells))


def main() -> None:
    """Print one table a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--linear", action="store_true")
    parser.add_argument("--interpreted", action="store_true")
    parser.add_argument("--own", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.own:
        path, preset, how = given.own
        slow = how == "interpreted"
        found = own(Path(path), preset or None, 1 if slow else 3, audits=how == "audited", interpreted=slow)
        print(json.dumps(found))
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if given.install and given.peers:
        install(given.peers)
    for case in given.case or (() if given.linear else CASES):
        compare(case, given.peers, interpreted=given.interpreted)
    if given.linear:
        grow()


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
