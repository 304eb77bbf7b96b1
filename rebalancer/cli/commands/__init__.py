"""Every command of `rebalancer`, in the order of its help: parse and call. One file a group of commands; each command
imports what it needs when it is called.

Data goes to stdout, messages to stderr. Exit codes: 0 done (also nothing to do), 1 unexpected, 2 usage, 3 trades due
(`plan --exit-code`), 4 not every order filled, or CONSTRAINED, 5 halted by kill switch, limit or an unknown order,
69 broker or data unavailable, 75 another run holds the lock, 77 credentials refused, 78 bad configuration, input or
journal; 143 and 130 after SIGTERM and SIGINT (`run-now`).
"""

from __future__ import annotations

from typing import Annotated

import typer

from rebalancer.cli.commands import (
    accounts,
    evidence,
    hosts,
    model,
    records,
    research,
    safety,
    sectors,
    signals,
    sources,
    system,
    trading,
    web,
)
from rebalancer.cli.help import Commands
from rebalancer.version import __version__

app = Commands(
    name="rebalancer",
    help="A scheduled batch portfolio rebalancer for Alpaca accounts.\n\n"
    "Example: rebalancer demo | rebalancer run-now | rebalancer status | rebalancer explain AAPL",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Examples: `rebalancer run-now`, `rebalancer plan`, `rebalancer status`, `rebalancer explain AAPL`.

    Every command also takes --profile NAME, --environment development|production, --live, --yes, -v and -q (log more,
    log errors alone).
    """
    if version:
        typer.echo(f"rebalancer {__version__}")
        raise typer.Exit


app.command("run-now")(trading.run_now)
app.command()(trading.plan)
app.command()(trading.demo)
app.command()(trading.session)
app.command()(records.status)
app.command()(records.monitor)
app.command()(records.positions)
app.command()(records.orders)
app.command()(records.explain)
app.command()(records.history)
app.command()(records.performance)
app.command()(records.export)
app.command()(records.report)
app.command()(records.replay)
app.command()(research.backtest)
app.command()(research.grid)
app.command()(research.search)
app.command("walk-forward")(research.walk_forward)
app.command()(research.parity)
app.command()(safety.kill)
app.command()(safety.resume)
app.command("arm-live")(safety.arm_live)
app.command()(system.doctor)
app.command()(system.init)
app.command()(system.logs)
app.add_typer(system.config_app, name="config")
app.add_typer(system.exchange_app, name="exchange")
app.add_typer(records.alerts_app, name="alerts")
app.add_typer(signals.signals_app, name="signals")
app.add_typer(sources.sources_app, name="sources")
app.add_typer(sectors.sectors_app, name="sectors")
app.add_typer(model.model_app, name="model")
app.add_typer(system.db_app, name="db")
app.add_typer(accounts.accounts_app, name="desk")
app.add_typer(evidence.evidence_app, name="evidence")
app.add_typer(hosts.lease_app, name="lease")
app.add_typer(hosts.mirror_app, name="mirror")
app.add_typer(web.web_app, name="web")
