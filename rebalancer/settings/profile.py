"""The environment (development or production) and the profile. Explicit settings override detection."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from rebalancer.core.documents import BadDocument

ENVIRONMENT: Final = "REBALANCER_ENVIRONMENT"
PROFILE: Final = "REBALANCER_PROFILE"
BY_SYSTEMD: Final = ("JOURNAL_STREAM", "INVOCATION_ID", "STATE_DIRECTORY")


class Environment(NamedTuple):
    """The environment, and how it was determined."""

    name: Literal["development", "production"]
    because: str

    @property
    def is_production(self) -> bool:
        """Whether sample signals and the embedded exchange must be requested explicitly."""
        return self.name == "production"


def environment_of(environ: Mapping[str, str], at_terminal: bool | None = None) -> Environment:
    """REBALANCER_ENVIRONMENT if set, else detected: systemd's variables mean production. Raises BadDocument.

    at_terminal: whether a terminal is attached. Terminals inherit those variables from the desktop's own service, so
    this means development; None checks standard input.
    """
    said = environ.get(ENVIRONMENT, "").strip().lower()
    match said:
        case "development" | "production":
            return Environment(said, f"{ENVIRONMENT} says so")
        case "":
            pass
        case _:
            raise BadDocument(ENVIRONMENT, f"{said!r} is not an environment", "write development or production")
    found = next((name for name in BY_SYSTEMD if environ.get(name)), None)
    if found is None:
        return Environment("development", "not run by systemd")
    if _has_terminal() if at_terminal is None else at_terminal:
        return Environment("development", f"{found} is set, but a person sits at a terminal")
    return Environment("production", f"run by systemd ({found} is set)")


def profile_file(name: str, root: Path) -> Path:
    """The rules file of a profile, config/profiles/NAME.yaml. Raises BadDocument listing the existing profiles."""
    folder = root / "config" / "profiles"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name in known:
        return folder / f"{name}.yaml"
    near = difflib.get_close_matches(name, known, 1)
    guess = f"did you mean {near[0]}? " if near else ""
    listed = f"there are: {', '.join(known)}" if known else f"there is none in {folder}"
    raise BadDocument("--profile", f"there is no profile {name!r}", f"{guess}{listed}")


def _has_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False
