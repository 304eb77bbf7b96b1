"""Whether the journal may be in a database, without reading the configuration: for commands that have no time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content
from rebalancer.ops.paths import config_directories, project_root
from rebalancer.settings.profile import PROFILE

_VARIABLE: Final = "REBALANCER__JOURNAL__URL"
_NAMED: Final = re.compile(r"(?im)^([^#\n]|(?<=\S)#)*postgres(ql)?://")  # not in a comment, however it is written
# A mirror's address on one line is not the journal's.
_MIRROR: Final = re.compile(r"(?i)mirror_url['\"]?\s*[:=]\s*['\"]?postgres(ql)?://\S*")
_SIZE_MAX: Final = 1_000_000


def names_database(environ: Mapping[str, str]) -> bool:
    """Whether the environment, or one of the files that may configure the journal, names a database or cannot be read;
    whether that one is in force, the configuration says."""
    return bool(environ.get(_VARIABLE, "").strip()) or any(_is_named_in(path) for path in _files(environ))


def _files(environ: Mapping[str, str]) -> list[Path]:
    """Configuration, profile, env file."""
    from rebalancer.settings.secrets.env_file import env_file_path

    root, profile = project_root(Path.cwd()), environ.get(PROFILE, "").strip()
    found = [folder / "execution.yaml" for folder in config_directories(root)]
    if profile:
        found.append((root or Path.cwd()) / "config" / "profiles" / f"{profile}.yaml")
    env_file = env_file_path(environ, profile)
    return found if env_file is None else [*found, env_file]


def _is_named_in(path: Path) -> bool:
    try:
        return path.is_file() and _NAMED.search(_MIRROR.sub("", _text_of(path))) is not None
    except (OSError, BadDocument):
        return True  # whoever reads the configuration then says why it cannot be read


def _text_of(path: Path) -> str:
    return read_content(path, _SIZE_MAX).body.decode(errors="replace")
