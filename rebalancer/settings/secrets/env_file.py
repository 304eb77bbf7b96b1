"""The env file: `NAME=value` lines, as systemd reads them. Nothing in it is executed or expanded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.settings.secrets.private_file import read_private

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def env_file_path(environ: Mapping[str, str], profile: str) -> Path | None:
    """The path of this profile's env file, below $XDG_CONFIG_HOME or ~/.config; None when there is neither."""
    home = environ.get("HOME", "")
    folder = environ.get("XDG_CONFIG_HOME", "") or (f"{home}/.config" if home else "")
    if not folder.startswith("/"):
        return None
    return Path(folder, f"paper-trading@{profile}.env" if profile else "paper-trading.env")


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of an env file; empty when it does not exist. Raises BadDocument, which never quotes a value."""
    found: dict[str, str] = {}
    for number, line in enumerate((read_private(path) or "").splitlines(), 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        name, sign, value = text.removeprefix("export ").partition("=")
        if not sign or _NAME.fullmatch(name) is None:
            raise BadDocument(f"{path}:{number}", "is not NAME=value", "no blanks around =, one variable a line")
        if name in found:
            raise BadDocument(f"{path}:{number}", f"{name} is set twice", "keep one of the lines")
        found[name] = _unquoted(value.strip(), f"{path}:{number}", name)
    return found


def _unquoted(value: str, place: str, name: str) -> str:
    if not value or value[0] not in "'\"":
        return value
    if len(value) < 2 or value[-1] != value[0]:
        raise BadDocument(place, f"{name}: the quotation mark is not closed", "close it, or leave both out")
    return value[1:-1]
