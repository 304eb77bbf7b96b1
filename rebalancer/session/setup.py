"""Where everything is: the project folder, the rules in force, the broker's address, the state folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rebalancer.documents import BadDocument
from rebalancer.report.records import Mode
from rebalancer.rules import Rules
from rebalancer.world.config import LoadedRules, load_rules
from rebalancer.world.paths import config_directories, project_root, reports_directory, state_directory

CONFIG_NAME = "execution.yaml"


class Setup(NamedTuple):
    """One configured rebalancer. `mode` is simulated for the embedded exchange, else paper; `state` holds the journal
    and all that belongs to this mode; relative paths of the rules are below `root`."""

    root: Path
    loaded: LoadedRules
    mode: str
    state: Path
    environ: Mapping[str, str]

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.loaded.rules

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / "journal.sqlite"

    @property
    def reports(self) -> Path:
        """The folder of the report pages."""
        return reports_directory(self.rules, self.root)


def load_setup(config: Sequence[Path] | None, environ: Mapping[str, str] | None = None) -> Setup:
    """Read the configuration and find the folders. Raises BadDocument for anything that cannot be read.

    config: files named by the user, later ones win; None looks in the usual places and takes the first that is there.
    """
    environ = os.environ if environ is None else environ
    found = project_root(Path.cwd())
    root = found or Path.cwd()
    paths = list(config) if config else _first_config(found)
    loaded = load_rules(paths, environ)
    rules = loaded.rules
    if rules.execution.mode == "live":
        raise BadDocument(
            _place(loaded, "execution.mode"),
            "live trading is not part of this version",
            "set execution.mode to paper; real money is never traded by accident",
        )
    mode = "simulated" if uses_embedded(rules, environ) else "paper"
    return Setup(root, loaded, mode, state_directory(mode), environ)


def uses_embedded(rules: Rules, environ: Mapping[str, str]) -> bool:
    """Whether the broker is the embedded exchange: by configuration, or because nothing says that there is another."""
    if rules.broker.kind == "auto":
        return not (environ.get("APCA_API_KEY_ID") or environ.get("APCA_API_BASE_URL"))
    return rules.broker.kind == "embedded"


def _first_config(root: Path | None) -> list[Path]:
    """The first configuration file of the usual places, if there is one."""
    candidates = (folder / CONFIG_NAME for folder in config_directories(root))
    found = next((path for path in candidates if path.is_file()), None)
    return [] if found is None else [found]


def _place(loaded: LoadedRules, key: str) -> str:
    return f"{loaded.origins[key]}: {key}" if key in loaded.origins else key


def report_mode(setup: Setup) -> Mode:
    """The mode as reports call it."""
    match setup.mode:
        case "simulated" | "paper" | "live":
            return setup.mode
        case other:
            raise ValueError(f"unknown mode {other!r}")
