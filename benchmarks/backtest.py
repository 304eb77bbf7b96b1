"""Time backtests beside peers: `python -m benchmarks.backtest [--peers DIR] [--case NAME]... [--short]`.

    rules      this program with every default cap, and costs: capital is equity, no bands, every order budget lifted
    bare       this program, `--preset bare`: no caps or bands; fees as the peers
    peers      vectorbt, bt, backtrader, zipline-reloaded on the same weights at every bar, 0.02 % of the value as fee

Each is a process of its own. Peers run in environments of their own: DIR/vectorbt, DIR/bt, DIR/backtrader and
DIR/zipline-reloaded, each made with `python -m venv` and `pip install`; what is missing is left out. Seconds are of the
simulation without reading files: the first run in a process (compiling included, where there is a compiler), and the
best of the following. Memory is the peak of the process with everything it imports.

The peers do less (no caps, no codes, no reasons, no audit) and more (event engines simulate orders one by one). The
event engines take many minutes for a whole case: `--short` gives them a tenth of its bars, and the table says so.
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
from time import perf_counter
from typing import Any, Final

import numpy as np

FEE: Final = 0.0002
CASES: Final = {"five-minute year x 100": (252, 78, 100), "ten years of days x 500": (2520, 1, 500)}
PEERS: Final = {"vectorbt": 3, "bt": 1, "backtrader": 1, "zipline-reloaded": 1}  # repeats
EVENTS: Final = ("backtrader", "zipline-reloaded")
SCRIPTS: Final = Path(__file__).with_name("peers")
SHORT: Final = 10


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


def own(path: Path, preset: str | None, repeats: int, *, audits: bool) -> dict[str, Any]:
    """This program on the same arrays; called in a process of its own."""
    from rebalancer.core.rules import Rules
    from rebalancer.research.backtest import load_engine
    from rebalancer.research.market import CostModel, Instructions, Market, SimulationSetup
    from rebalancer.research.presets import with_preset
    from rebalancer.research.price_files import last_of_day
    from rebalancer.research.reference_columns import reference_columns

    data = np.load(path)
    close, day = data["close"], data["day"]
    symbols = tuple(str(name) for name in data["symbols"])
    market = Market(symbols, data["times"], close, None, None, day, last_of_day(day))
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
    engine, seconds, whole = load_engine(), [], []
    for _ in range(repeats):
        begun = perf_counter()
        setup = SimulationSetup(
            market, Instructions("targets", data["weights"]), in_force, costs, 100_000.0, "same_close",
            np.ones(len(day), dtype=bool), reference_columns(market, {}, in_force), terms,
        )  # fmt: skip
        run = engine(setup, None)
        result = run.result
        whole.append(perf_counter() - begun)
        seconds.append(result.seconds)
    return {
        "seconds": whole if audits else seconds,
        "final": float(result.equity[-1]),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "version": result.engine,
        "orders": result.orders,
        "audit": list(result.audit),
    }


def ran(words: list[str]) -> dict[str, Any] | str:
    """The JSON line that a process printed, or its last error line."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1][:100]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def line(name: str, found: dict[str, Any] | str) -> str:
    """One row of the table."""
    if isinstance(found, str):
        return f"{name:<34} {found}"
    first, *rest = found["seconds"]
    best = f"{min(rest):9.2f}" if rest else "        -"
    audit = f"  audited {found['audit'][0]}: {found['audit'][1]} differences" if "audit" in found else ""
    return f"{name:<34} {first:9.2f} {best} {found['mb']:8.0f} {found['final']:14.2f}  {found['version']}{audit}"


def main() -> None:
    """Print one table a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--own", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.own:
        path, preset, audits = given.own
        print(json.dumps(own(Path(path), preset or None, 3, audits=audits == "audits")))
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for case in given.case or CASES:
        days, bars_a_day, names = CASES[case]
        with tempfile.TemporaryDirectory() as folder:
            path, part = Path(folder) / "data.npz", Path(folder) / "part.npz"
            made(days, bars_a_day, names, path)
            made(days // SHORT, bars_a_day, names, part)
            say(f"\n{case}: {days * bars_a_day:,} bars")
            say(f"{'':<34} {'first s':>9} {'best s':>9} {'MB':>8} {'final equity':>14}")
            for name, preset, audits in (
                ("rules", "", ""), ("rules, audited", "", "audits"), ("bare", "bare", ""),
            ):  # fmt: skip
                say(line(name, ran([sys.executable, "-m", "benchmarks.backtest", "--own", str(path), preset, audits])))
            for peer, repeats in PEERS.items() if given.peers else ():
                python = given.peers / peer / "bin" / "python"
                if not python.exists() or (peer == "zipline-reloaded" and bars_a_day > 1):
                    continue
                is_short = given.short and peer in EVENTS
                script = SCRIPTS / f"{peer.removesuffix('-reloaded')}_run.py"
                label = f"{peer}{f', 1/{SHORT} of the bars' if is_short else ''}"
                say(
                    line(
                        label, ran([str(python), str(script), str(part if is_short else path), str(FEE), str(repeats)])
                    )
                )


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
