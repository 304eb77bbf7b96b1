"""`config show`, `config check` and `config schema`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import log_to_stderr, warn
from rebalancer.core.units import amount_of


def show_rules(config: Sequence[Path] | None, *, origin: bool, changed: bool = False, as_json: bool) -> int:
    """Print the rules in force, or those that differ from the built-in defaults. They never contain secrets."""
    from rebalancer.session.setup import load_setup
    from rebalancer.settings.show import changed_json, show_changed, show_json, show_text

    setup = load_setup(config)
    warn(setup.loaded.warnings)
    if changed:
        sys.stdout.write(changed_json(setup.loaded) if as_json else show_changed(setup.loaded, origin=origin))
        return ExitCode.DONE
    sys.stdout.write(show_json(setup.loaded) if as_json else show_text(setup.loaded, origin=origin))
    return ExitCode.DONE


def check_rules(config: Sequence[Path] | None) -> int:
    """Read the configuration, the signals and the sectors; every mistake is an error that names its location."""
    from rebalancer.market_data.sectors import read_sectors
    from rebalancer.session.names import refuse_strange_sectors
    from rebalancer.session.setup import load_setup
    from rebalancer.signals import FileSignals
    from rebalancer.signals.configured import DEFAULT_PATH

    log_to_stderr()
    setup = load_setup(config)
    warn(setup.loaded.warnings)
    path = setup.rules.signals.path
    now = datetime.now(UTC)  # noqa: TID251 - used only as the default time of rows without one
    signals = FileSignals(setup.root / path, required=path != DEFAULT_PATH).read(now)
    sectors = read_sectors(setup.root / setup.rules.sectors_file)
    refuse_strange_sectors(setup)
    read = amount_of(len(signals), "signal")
    if not signals and setup.rules.signals.sample != "never" and setup.mode == "simulated":
        read = "no signals yet: the bundled sample is traded"
    sys.stderr.write(f"configuration: ok ({read}; {amount_of(len(sectors), 'sector')})\n")
    return ExitCode.DONE


def show_schema() -> int:
    """Print the JSON Schema of the configuration."""
    from rebalancer.settings.show import schema_text

    sys.stdout.write(schema_text())
    return ExitCode.DONE
