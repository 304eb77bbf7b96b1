"""The options common to every command: profile, environment, log level and the switch for live trading, before or after
the command's name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.ops.logs import LEVEL
from rebalancer.ops.paths import has_state, project_root
from rebalancer.settings.live_trading import COMMAND_LINE, CommandLine
from rebalancer.settings.profile import ENVIRONMENT, PROFILE, environment_of, profile_file

VALUED: Final = {"--profile": PROFILE, "--environment": ENVIRONMENT}
COMMON: Final = {
    "--profile NAME": "Also the rules of config/profiles/NAME.yaml, with its own state, reports and keys.",
    "--environment NAME": "development or production.",
    "--live": "One of the switches of live trading; with status: ask the broker too.",
    "--yes": "Confirm without being asked.",
    "-v, --verbose": "Log more.",
    "-q, --quiet": "Log errors alone.",
}  # the help of every command ends with them
LEVELS: Final = {"-v": "info", "--verbose": "info", "-q": "error", "--quiet": "error"}


class Taken(NamedTuple):
    """The common options found, and the remaining words."""

    variables: dict[str, str]
    command_line: CommandLine
    rest: list[str]


def taken(words: Sequence[str]) -> Taken:
    """Extract the common options from a command line; everything after `--` is left unchanged. Raises BadDocument."""
    variables, rest, flags = dict[str, str](), list[str](), set[str]()
    left = list(words)
    while left:
        word = left.pop(0)
        name, sign, value = word.partition("=")
        if word == "--":
            rest += [word, *left]
            break
        if name in VALUED:
            if not sign and not left:
                raise BadDocument(name, "needs a value", f"write {name} NAME")
            variables[VALUED[name]] = value if sign else left.pop(0)
        elif word in LEVELS:
            variables[LEVEL] = LEVELS[word]
        elif word in ("--live", "--yes"):
            flags.add(word)
        else:
            rest.append(word)
    return Taken(variables, CommandLine("--live" in flags, "--yes" in flags), rest)


def put_in_force(found: Taken) -> None:
    """Apply the options to the whole process: they override the corresponding environment variables. Raises BadDocument
    for an unknown profile or environment. `kill` continues with a wrong environment, and with any profile that has a
    state folder, but must not appear to have stopped a profile whose name was misspelt."""
    os.environ.update(found.variables)
    COMMAND_LINE.set(found.command_line)
    is_kill = found.rest[:1] == ["kill"]
    if not is_kill:
        environment_of(os.environ)
    profile = os.environ.get(PROFILE, "").strip()
    if profile and not (is_kill and has_state(profile)):
        profile_file(profile, project_root(Path.cwd()) or Path.cwd())
