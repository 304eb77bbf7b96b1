"""`backtest`: the rules over history, with what came out on one screen, as JSON, and as files."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from rebalancer.cli.errors import choice, day_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.progress import counted_progress
from rebalancer.cli.screen import wants_colour, warn
from rebalancer.core.documents import BadDocument
from rebalancer.ops.clock import SystemClock
from rebalancer.report.paths import shown_path

if TYPE_CHECKING:
    from rebalancer.research.backtest import Backtest, BacktestRequest
    from rebalancer.research.market import CostModel
    from rebalancer.research.price_files import PriceHistory
    from rebalancer.research.recorded_cycles import LiveRecord
    from rebalancer.session.setup import Setup

FILES: Final = ("prices", "instructions", "actions")  # options whose content a result rests on
SIGINT_CODE: Final = 130


class BacktestOptions(NamedTuple):
    """The options of the command, as they were written."""

    prices: Path | None
    instructions: Path | None
    config: Sequence[Path] | None
    preset: str | None
    first: str | None
    last: str | None
    free: bool
    fill: str
    rebalance: str
    equity: float
    half_spread_bps: float | None
    impact: float | None
    participation: float | None
    interest_rate: float | None
    borrow_rate: float | None
    out: Path | None
    benchmark: str | None
    profile_to: Path | None
    actions: Path | None = None
    delisted: str = "last_price"
    delisted_after: int = 10
    record: bool = False
    fills: bool = False
    ledger: Path | None = None
    symbols: str | None = None


def show_backtest(options: BacktestOptions, *, as_json: bool, colour: bool) -> int:
    """Run it, write its files, print its result. Exits 1 when the live planner decided otherwise at an audited bar."""
    from rebalancer.research.recorded_trials import recorded
    from rebalancer.research.trial_ledger import ledger_path
    from rebalancer.session.setup import load_setup

    setup = load_setup(options.config)
    try:
        request = request_of(options, setup)
        with _profiled(options.profile_to), counted_progress("backtest") as heard:
            run = recorded(request, ledger_path(options.ledger, setup.state), SystemClock(), progress=heard)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was written\n")
        return SIGINT_CODE
    begun = time.perf_counter()
    written = [] if options.out is None else _write(run, options, setup.rules.reporting.benchmark)
    document = run.document()
    document["phases"]["write"] = round(time.perf_counter() - begun, 4)
    document["inputs"] = inputs_of(options)
    if options.out is not None:
        (options.out / "backtest.json").write_text(json.dumps(document, indent=1) + "\n")
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
    else:
        from rebalancer.cli.backtest_text import text_of

        sys.stdout.write("\n".join(text_of(run, colour=colour and wants_colour())) + "\n")
    warn(run.warnings)
    for path in written:
        sys.stderr.write(f"written: {shown_path(path)}\n")
    differences = run.result.audit.differences
    if differences:
        sys.stderr.write(f"error: the live planner decides otherwise at {differences} audited bars\n")
    if run.result.audit.fault:
        sys.stderr.write(f"error: {run.result.audit.fault}\n")
    return ExitCode.UNEXPECTED if differences else ExitCode.DONE


def inputs_of(options: BacktestOptions) -> dict[str, Any]:
    """The options as JSON, with absolute paths and the hashes of the files, for `explain --bar`."""
    found: dict[str, Any] = {}
    for name, value in options._asdict().items():
        if name in ("out", "profile_to", "benchmark", "fills", "ledger"):
            continue
        if isinstance(value, Path):
            found[name] = str(value.absolute() if value.exists() else value)
        elif name == "config":
            found[name] = [str(path.absolute()) for path in value or ()]
        else:
            found[name] = value
    return found | {"sha256": {name: _hash(Path(found[name])) for name in FILES if found[name] is not None}}


def again(folder: Path) -> Backtest:
    """Run a backtest again from the inputs that it wrote to its folder. Raises BadDocument when they have changed."""
    from rebalancer.core.input_file import read_json_file
    from rebalancer.research.backtest import run_backtest
    from rebalancer.session.setup import load_setup

    path = folder / "backtest.json"
    document = read_json_file(path)
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), dict):
        raise BadDocument(str(path), "does not say what it was made from", "run the backtest again with --out")
    inputs = document["inputs"]
    hashes = inputs.pop("sha256", {})
    paths = {name: Path(inputs[name]) for name in FILES if inputs.get(name) is not None}
    for name, file in paths.items():
        if hashes.get(name) != _hash(file):
            raise BadDocument(inputs[name], "has changed since the backtest", "run it again with --out")
    config = [Path(one) for one in inputs.pop("config")] or None
    options = BacktestOptions(**(inputs | paths), config=config, out=None, benchmark=None, profile_to=None)
    return run_backtest(request_of(options, load_setup(config)))


def _hash(path: Path) -> str:
    """The SHA-256 of a file; of a folder the names and sizes of its files; of what is no file its name."""
    if not path.exists():
        return path.name
    if path.is_dir():
        names = sorted((one.name, one.stat().st_size) for one in path.iterdir() if one.is_file())
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def request_of(options: BacktestOptions, setup: Setup) -> BacktestRequest:
    """What the options ask for. Raises BadDocument."""
    from rebalancer.market_data.sectors import read_sectors
    from rebalancer.research.backtest import BacktestRequest, Delisted
    from rebalancer.research.cycles import Rebalance
    from rebalancer.research.market import Fill
    from rebalancer.research.presets import PRESETS

    for name, value, known in (
        ("--fill", options.fill, get_args(Fill)),
        ("--rebalance", options.rebalance, get_args(Rebalance)),
        ("--delisted", options.delisted, get_args(Delisted)),
        ("--preset", options.preset, PRESETS),
    ):
        if value is not None:
            choice(name, value, known)
    first, last = _day(options.first, "--from"), _day(options.last, "--to")
    record = _record(setup, first, last) if options.record else None
    return BacktestRequest(
        record=record,
        prices=None if record is not None else _prices(options, setup, first, last),
        instructions=options.instructions,
        rules=setup.rules,
        preset=options.preset,
        first=first,
        last=last,
        costs=_costs(options),
        fill=options.fill,  # type: ignore[arg-type] # checked above
        rebalance=options.rebalance,  # type: ignore[arg-type]
        equity=options.equity,
        actions=options.actions,
        delisted=options.delisted,  # type: ignore[arg-type]
        delisted_after=options.delisted_after,
        sectors=read_sectors(setup.root / setup.rules.sectors_file),
    )


def _prices(options: BacktestOptions, setup: Setup, first: date | None, last: date | None) -> Path | PriceHistory:
    from rebalancer.cli.price_sources import PriceOptions, prices_given

    assert options.prices is not None
    assert options.instructions is not None
    asked = PriceOptions(
        options.prices, options.instructions, options.symbols, first, last, is_raw=options.actions is not None
    )
    return prices_given(asked, setup)


def _record(setup: Setup, first: date | None, last: date | None) -> LiveRecord:
    """The recorded cycles of the journal."""
    from rebalancer.journal import Journal
    from rebalancer.research.recorded_cycles import live_record

    if not setup.has_journal:
        raise BadDocument("--journal", f"nothing has been run yet in {setup.mode} mode", "rebalancer run-now")
    with Journal.open(setup.journal) as journal:
        return live_record(journal, first, last)


def _costs(options: BacktestOptions) -> CostModel:
    from rebalancer.research.market import NO_COSTS, CostModel

    given = {
        "half_spread_bps": options.half_spread_bps,
        "impact_coefficient": options.impact,
        "participation_max": options.participation,
        "interest_rate": options.interest_rate,
        "borrow_rate": options.borrow_rate,
    }
    known = {name: value for name, value in given.items() if value is not None}
    if options.free and known:
        raise BadDocument("--no-costs", "does not go with an option of costs", "leave one of them out")
    negative = next((name for name, value in known.items() if not 0 <= value < 1e6), None)
    if negative is not None:
        raise BadDocument("backtest", f"{negative} is {known[negative]:g}", "costs are 0 or more")
    return NO_COSTS if options.free else CostModel._make((CostModel()._asdict() | known).values())


def _day(text: str | None, option: str) -> date | None:
    return None if text is None else day_of(option, text)


def _write(run: Backtest, options: BacktestOptions, usual: str) -> list[Path]:
    from rebalancer.research.page import DATA_PAGE, PAGE, backtest_pages

    assert options.out is not None
    options.out.mkdir(parents=True, exist_ok=True)
    page, curve = options.out / PAGE, options.out / "equity.csv"
    curve.write_text(run.equity_csv())
    benchmark = usual if options.benchmark is None else options.benchmark
    if options.benchmark and options.benchmark not in run.setup.market.symbols:
        raise BadDocument("--benchmark", f"the prices do not have {options.benchmark}", "name one of their columns")
    pages = backtest_pages(run, benchmark)
    page.write_text(pages.page)
    written = [curve, page, options.out / "backtest.json"]
    if pages.data:
        written.append(options.out / DATA_PAGE)
        written[-1].write_text(pages.data)
    if options.fills:
        written.append(options.out / "fills.csv")
        written[-1].write_text(run.fills_csv())
    return written


@contextmanager
def _profiled(path: Path | None) -> Iterator[None]:
    """Write where the time went to a file for `python -m pstats`."""
    if path is None:
        yield
        return
    import cProfile

    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        profile.dump_stats(path)
