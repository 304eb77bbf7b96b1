"""The commands that stop trading, let it go on, and arm live trading: `kill`, `resume`, `arm-live`."""

from __future__ import annotations

from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config


def kill(
    reason: Annotated[str, typer.Option(help="Why; shown until it is lifted.")] = "stopped by hand",
    cancel: Annotated[bool, typer.Option("--cancel", help="Also cancel our open orders.")] = False,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Also cancel all open orders and close every position.")
    ] = False,
    config: Config = None,
) -> None:
    """Stop everything: nothing is sent until `resume`. The switch is set first; then, on a terminal and without --yes,
    --flatten shows what is held and asks.

    Example: rebalancer kill | rebalancer kill --cancel | rebalancer kill --cancel --flatten
    """
    from rebalancer.cli.kill import throw

    raise typer.Exit(throw(config, reason=reason, cancel=cancel, flatten=flatten))


def resume(
    reason: Annotated[str, typer.Option(help="Why it is safe again; kept in the journal.")],
    config: Config = None,
) -> None:
    """Lift the kill switch and whatever is latched. On a terminal and without --yes it shows what the next cycle would
    buy, and asks. Example: rebalancer resume --reason "quotes are back" """
    from rebalancer.cli.kill import lift

    raise typer.Exit(lift(config, reason=reason))


def arm_live(
    account: Annotated[str, typer.Option(help="The last four characters of the account that may be traded.")],
    hours: Annotated[int, typer.Option(min=1, max=168, help="How long, in hours.")] = 12,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why, where no backtest and no day on paper is behind it.")
    ] = None,
    config: Config = None,
) -> None:
    """Stand in for --live until it expires; the other switches must be on too. Shows the backtests, shadow books and
    days on paper of this configuration.

    Example: rebalancer arm-live --account 1234 --hours 12
    """
    from rebalancer.cli.arm_live import show_arm_live

    raise typer.Exit(show_arm_live(config, account, hours, reason))
