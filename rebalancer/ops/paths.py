"""Locations of state, configuration, project and reports: systemd's variables first, then XDG's, then defaults.

state    $STATE_DIRECTORY          $XDG_STATE_HOME/rebalancer     ~/.local/state/rebalancer    (+ profiles/NAME)
config   $CONFIGURATION_DIRECTORY  $XDG_CONFIG_HOME/rebalancer    ~/.config/rebalancer    (the project's comes first)
"""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.core.errors import ExternalError
from rebalancer.ops.disk import unwritable

if TYPE_CHECKING:
    from rebalancer.core.rules import Rules

JOURNAL_NAME: Final = "journal.sqlite"
LOCK_NAME: Final = "run.lock"
SESSION_LOCK_NAME: Final = "session.lock"
CONFIG_NAME: Final = Path("config", "execution.yaml")
PROFILES: Final = "profiles"  # below the state folder, and below config/
_PROFILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def home_directory() -> Path:
    """The user's home: $HOME, else the password database (a service may run without HOME). Raises ExternalError."""
    named = os.environ.get("HOME", "")
    if os.path.isabs(named):
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        raise ExternalError(f"user {os.geteuid()} has no home directory\n  hint: set HOME or STATE_DIRECTORY") from None


def state_directory(profile: str | None = None) -> Path:
    """The folder of the journal and lock, created with mode 0700 when missing; `profile` selects a subfolder.

    Raises Unwritable when it cannot be created, ValueError for a profile that is not a plain name.
    """
    base = _state_base()
    chosen = os.environ.get("REBALANCER_PROFILE", "").strip()
    if chosen:  # each profile has its own journal and lock
        if _PROFILE.fullmatch(chosen) is None:
            raise ValueError(f"{chosen!r} is not a profile name: letters, digits, dot, dash and underscore")
        base = base / PROFILES / chosen
    if profile is not None and _PROFILE.fullmatch(profile) is None:
        raise ValueError(f"{profile!r} is not a profile name: letters, digits, dot, dash and underscore")
    path = base if profile is None else base / profile
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def accounts_directory() -> Path:
    """The folder of the account locks: per user and machine, independent of the state folder. It may not exist.

    $XDG_RUNTIME_DIR, else /run/user/UID, since the variable is missing in cron jobs; if there is neither, a folder
    below the state folder.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    for folder in (named, f"/run/user/{os.geteuid()}"):
        if os.path.isabs(folder) and os.path.isdir(folder):
            return Path(folder, "rebalancer", "accounts")
    return _state_base() / "accounts"


def has_state(profile: str) -> bool:
    """Whether a profile of this name has a state folder. Creates nothing."""
    return _PROFILE.fullmatch(profile) is not None and (_state_base() / PROFILES / profile).is_dir()


def config_directories(root: Path | None = None) -> tuple[Path, ...]:
    """The folders that may contain `execution.yaml`, in search order; they may not exist."""
    project = () if root is None else (root / CONFIG_NAME.parent,)
    named = _first_of("CONFIGURATION_DIRECTORY")
    return (*project, *(() if named is None else (named,)), _xdg("XDG_CONFIG_HOME", ".config"))


def project_root(start: Path) -> Path | None:
    """The nearest folder at or above `start` that contains config/execution.yaml; None when there is none."""
    place = start.resolve()
    return next((folder for folder in (place, *place.parents) if (folder / CONFIG_NAME).is_file()), None)


def reports_directory(rules: Rules, root: Path) -> Path:
    """The folder of the generated pages: `reporting.directory`, relative to the project. It may not exist."""
    return (root / Path(rules.reporting.directory).expanduser()).absolute()


def _state_base() -> Path:
    return _first_of("STATE_DIRECTORY") or _xdg("XDG_STATE_HOME", ".local/state")


def _first_of(variable: str) -> Path | None:
    """The first folder in one of systemd's colon-separated variables; relative paths are ignored."""
    first = os.environ.get(variable, "").partition(":")[0]
    return Path(first) if os.path.isabs(first) else None


def _xdg(variable: str, default: str) -> Path:
    named = os.environ.get(variable, "")
    base = Path(named) if os.path.isabs(named) else home_directory() / default
    return base / "rebalancer"
