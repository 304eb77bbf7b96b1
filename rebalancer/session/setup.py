"""Where everything is: the project folder, the rules in force, the broker's address, the state folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.journal_rules import JournalStorage
from rebalancer.core.rules import Rules
from rebalancer.journal.place import Place, PostgresPlace, place_of, schema_name
from rebalancer.journal.read_only import exists
from rebalancer.ops.paths import (
    JOURNAL_NAME,
    accounts_directory,
    config_directories,
    project_root,
    reports_directory,
    state_directory,
)
from rebalancer.report.records import Mode
from rebalancer.settings.live_trading import COMMAND_LINE
from rebalancer.settings.load import LoadedRules, load_rules
from rebalancer.settings.profile import PROFILE, Environment, environment_of, profile_file
from rebalancer.settings.secrets import Surroundings, surroundings
from rebalancer.settings.secrets.aws import VARIABLE as AWS_SECRET
from rebalancer.settings.secrets.gather import JOURNAL_PASSWORD, MIRROR_PASSWORD

CONFIG_NAME = "execution.yaml"


class Setup(NamedTuple):
    """One configured rebalancer. `mode` is simulated for the embedded exchange, else paper or live; `state` holds the
    journal and everything else of this mode; relative paths in the rules are relative to `root`."""

    root: Path
    loaded: LoadedRules
    mode: str
    state: Path
    environ: Mapping[str, str]
    profile: str = ""
    environment: Environment = Environment("development", "put together by hand")
    accounts: Path | None = None  # the folder of the account locks; None: no lock is taken
    files: tuple[Path, ...] = ()  # what the rules were read from, without the profile's own

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.loaded.rules

    @property
    def journal(self) -> Place:
        """The journal: a file in the state folder, or a schema of the configured database."""
        return self.journal_of(self.mode, self.state)

    @property
    def has_journal(self) -> bool:
        """Whether the journal is there. Raises JournalBroken when its database cannot be reached."""
        return exists(self.journal)

    def journal_of(self, mode: str, state: Path) -> Place:
        """The journal of another mode, whose state folder is given."""
        url = self.rules.journal.url
        if url is None:
            return state / JOURNAL_NAME
        return PostgresPlace(url, schema_name(mode, self.profile), state, self.environ.get(JOURNAL_PASSWORD, ""))

    @property
    def mirror(self) -> PostgresPlace | None:
        """The schema that the journal's file is copied to, None when no mirror is configured."""
        url = self.rules.journal.mirror_url
        if url is None:
            return None
        password = self.environ.get(MIRROR_PASSWORD, "")
        place = place_of(url, schema=schema_name(self.mode, self.profile), password=password)
        assert isinstance(place, PostgresPlace)
        return place

    def with_file(self, mode: str, state: Path) -> Setup:
        """The same with the journal in another folder, whatever is configured."""
        rules = self.rules.model_copy(update={"journal": JournalStorage()})
        return self._replace(mode=mode, state=state, loaded=self.loaded._replace(rules=rules))

    @property
    def reports(self) -> Path:
        """The folder of the report pages."""
        return reports_directory(self.rules, self.root) / self.profile


def load_setup(config: Sequence[Path] | None, environ: Mapping[str, str] | None = None) -> Setup:
    """Read the configuration and find the folders. Raises BadDocument for anything that cannot be read.

    config: files named by the user, later ones win; None looks in the usual places and takes the first that is there.
    """
    environ = os.environ if environ is None else environ
    found = project_root(Path.cwd())
    root = found or Path.cwd()
    profile = environ.get(PROFILE, "").strip()
    paths = named = list(config) if config else _first_config(found)
    if profile:
        own = profile_file(profile, root)
        paths = paths if own in [path.absolute() for path in paths] else [*paths, own]
    gathered = surroundings(environ, profile)
    environment = environment_of(gathered)
    loaded = load_rules(paths, gathered)
    if environment.is_production and loaded.rules.signals.sample == "auto":
        signals = loaded.rules.signals.model_copy(update={"sample": "never"})
        loaded = loaded._replace(rules=loaded.rules.model_copy(update={"signals": signals}))
    rules = loaded.rules
    mode = "live" if rules.execution.mode == "live" else "simulated" if uses_embedded(rules, gathered) else "paper"
    if mode == "live" and rules.broker.kind == "embedded":
        raise BadDocument(_place(loaded, "execution.mode"), "the embedded exchange is never live", "set it to paper")
    state = state_directory(mode)
    return Setup(root, loaded, mode, state, gathered, profile, environment, accounts_directory(), tuple(named))


def refuse_unasked_exchange(setup: Setup) -> None:
    """Raise BadDocument when production would use the embedded exchange only because no key is set."""
    said = COMMAND_LINE.get()
    if said is not None and said.live and setup.mode == "simulated":
        raise BadDocument("--live", "there is no live account: the broker is the embedded exchange", "leave it out")
    if setup.environment.is_production and setup.mode == "simulated" and setup.rules.broker.kind == "auto":
        raise BadDocument(
            "broker.kind",
            f"there is no key, and this is production ({setup.environment.because})",
            "give it APCA_API_KEY_ID and APCA_API_SECRET_KEY, or set broker.kind: embedded to practise, "
            "or REBALANCER_ENVIRONMENT=development",
        )


def banner(setup: Setup) -> str:
    """Environment, profile and where the secrets come from, in one line; never a value."""
    origins = setup.environ.origins() if isinstance(setup.environ, Surroundings) else {}
    places = ", ".join(dict.fromkeys(origins.values())) or "nowhere yet"
    profile = f", profile {setup.profile}" if setup.profile else ""
    return f"{setup.environment.name} ({setup.environment.because}){profile}; secrets from {places}"


def uses_embedded(rules: Rules, environ: Mapping[str, str]) -> bool:
    """Whether the broker is the embedded exchange: by configuration, or because no other broker is configured."""
    if rules.broker.kind == "auto":
        return not any(environ.get(name) for name in ("APCA_API_BASE_URL", AWS_SECRET, "APCA_API_KEY_ID"))
    return rules.broker.kind == "embedded"


def _first_config(root: Path | None) -> list[Path]:
    """The first configuration file in the usual places, if there is one."""
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
