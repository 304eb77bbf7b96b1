"""`parity`: the stored cycles planned again, beside the fills of the model; what trading cost; and the shadow books."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rebalancer.cli.errors import day_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width, wants_colour, warn
from rebalancer.core.documents import BadDocument, plain

if TYPE_CHECKING:
    from rebalancer.core.facts import TradingCosts
    from rebalancer.journal import Journal
    from rebalancer.research.learned_costs import LearnedCosts
    from rebalancer.research.parity import StoredCycle
    from rebalancer.session.setup import Setup

VOLUME_DAYS: Final = 20
COST_DAYS: Final = timedelta(days=90)
YEAR_ROOT: Final = 252**0.5


def show_parity(
    config: Sequence[Path] | None,
    since: str | None,
    volumes: Path | None,
    *,
    as_json: bool,
    colour: bool,
    state: Path | None = None,
) -> int:
    """Print what was found. Exits 1 when a stored plan came out otherwise. state: a state folder in place of the
    configured one."""
    from rebalancer.journal import Journal
    from rebalancer.research.market import CostModel
    from rebalancer.research.parity import parity_of, parity_sentence, stored_cycles
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    setup = setup if state is None else setup.with_file(setup.mode, state)
    first = None if since is None else day_of("--since", since)
    if not setup.has_journal:
        raise BadDocument("parity", f"nothing has been run yet in {setup.mode} mode", "rebalancer run-now")
    with Journal.open(setup.journal) as journal:
        newest = next((cycle for cycle in journal.cycles(None, 1000) if cycle.plan_sha256 is not None), None)
        if newest is None:
            raise BadDocument("parity", "no cycle has been planned yet", "rebalancer run-now")
        cycles = stored_cycles(journal, newest.account_id, first, CostModel())
        found = parity_of(journal, newest.account_id, cycles)
        costs, learned = _costs(journal, newest.account_id, cycles, volumes)
        shadows, problems = _shadows(setup, journal, newest.account_id, cycles)
    document = found.document() | {
        "costs": costs.document(), "trading_costs": None if learned is None else plain(learned),
        "shadow_books": shadows, "shadow_problems": problems,
    }  # fmt: skip
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
    else:
        lines = [f"{parity_sentence(found)}.", f"{costs.sentence}.", *_learned_line(learned), ""]
        lines += _tables(document, colour=colour and wants_colour())
        sys.stdout.write("\n".join(lines) + "\n")
    for cycle, difference in found.unequal:
        sys.stderr.write(f"error: {cycle}: {difference}\n")
    warn(problems)
    return ExitCode.UNEXPECTED if found.unequal else ExitCode.DONE


def _costs(
    journal: Journal, account_id: str, cycles: Sequence[StoredCycle], volumes: Path | None
) -> tuple[LearnedCosts, TradingCosts | None]:
    """What the orders of these cycles cost; and by name those of the last `COST_DAYS` until their end, which planning
    reads."""
    from rebalancer.accounting.trade_history import ledger_of
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.research.learned_costs import filled_orders, learned_costs, trading_costs

    names, last = {cycle.record.cycle_id for cycle in cycles}, day_in_new_york(cycles[-1].snapshot.as_of)
    every = ledger_of(journal, account_id).order_histories.values()
    histories = [h for h in every if h.cycle_id in names]
    recent = [h for h in every if timedelta() <= last - day_in_new_york(h.sent_at) <= COST_DAYS]
    volatility = {
        one.symbol: float(one.volatility) / YEAR_ROOT
        for cycle in cycles
        for one in cycle.snapshot.instruments
        if one.volatility is not None and one.volatility > 0
    }
    newest = max((day_in_new_york(h.sent_at) for h in recent), default=last)
    found = learned_costs(filled_orders(histories, volatility, _day_volumes(volumes)))
    return found, trading_costs(filled_orders(recent), newest)


def _learned_line(learned: TradingCosts | None) -> list[str]:
    """What `no_trade_band.width: cost` plans with; nothing before any order."""
    if learned is None:
        return []
    low, high = min(learned.by_symbol.values()), max(learned.by_symbol.values())
    return [
        f"Planning knows {learned.usual:.1f} bp a trade, {low:.1f} to {high:.1f} bp by name, from {learned.orders:,} "
        f"orders until {learned.as_of}."
    ]


def _day_volumes(path: Path | None) -> dict[str, float]:
    """The mean volume of the last days of a price file, shares by symbol. Raises BadDocument."""
    if path is None:
        return {}
    import numpy as np

    from rebalancer.research.price_files import read_prices

    market = read_prices(path).market
    if market.volume is None:
        raise BadDocument(str(path), "has no volumes", "give long rows with a column volume")
    days, row = np.unique(market.day, return_inverse=True)
    total = np.zeros((len(days), len(market.symbols)))
    np.add.at(total, row, np.nan_to_num(market.volume))
    means = total[-VOLUME_DAYS:].mean(axis=0).tolist()
    return {symbol: mean for symbol, mean in zip(market.symbols, means, strict=True) if mean > 0}


def _shadows(
    setup: Setup, journal: Journal, account_id: str, cycles: Sequence[StoredCycle]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Every shadow book, and what is wrong with one; a broken one does not stop the others."""
    from rebalancer.accounting.trade_history import ledger_of
    from rebalancer.research.market import CostModel
    from rebalancer.research.shadow_books import shadow_of
    from rebalancer.settings.load import load_rules

    rows, problems = list[dict[str, Any]](), list[str]()
    history = ledger_of(journal, account_id) if setup.rules.reporting.shadow_books else None
    for text in setup.rules.reporting.shadow_books:
        path = Path(text).expanduser()
        path = path if path.is_absolute() else setup.root / path
        try:
            rules = load_rules([path], {}).rules
            assert history is not None
            rows.append(shadow_of(path.stem, rules, cycles, history, CostModel(), setup.state).row())
        except (BadDocument, OSError) as error:
            problems.append(f"shadow book {path.stem}: {str(error).splitlines()[0]}")
    return rows, problems


def _tables(document: dict[str, Any], *, colour: bool) -> list[str]:
    from rebalancer.report.columns import TableRow, table
    from rebalancer.report.numbers import fixed, percent

    width = terminal_width()
    rows = [
        TableRow(
            (
                day["day"], f"{day['plans_equal']} of {day['cycles']}",
                *(fixed(day["divergence_bp"][part], 2, sign=True) for part in ("fills", "prices", "cash")),
            )
        )
        for day in document["days"]
    ]  # fmt: skip
    lines = table(("day", "plans equal", "fills bp", "prices bp", "cash bp"), "<>>>>", rows, width=width, colour=colour)
    if document["shadow_books"]:
        books = [
            TableRow(
                (
                    one["name"], one["since"], str(one["orders"]), percent(one["return"], 2, sign=True),
                    percent(one["live_return"], 2, sign=True),
                )
            )
            for one in document["shadow_books"]
        ]  # fmt: skip
        heads = ("shadow book", "since", "orders", "return", "live")
        lines += ["", *table(heads, "<<>>>", books, width=width, colour=colour)]
    return lines
