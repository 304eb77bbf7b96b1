"""systemd credentials: one file a secret in $CREDENTIALS_DIRECTORY, named in lower case (`apca_api_key_id`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rebalancer.core.documents import BadDocument
from rebalancer.settings.secrets.private_file import read_private
from rebalancer.settings.secrets.secret import SECRET_NAMES


def read_credentials_folder(environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that systemd hands over (LoadCredential=); empty outside such a unit. Raises BadDocument."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder.startswith("/"):
        return {}
    found = {}
    for name in SECRET_NAMES:
        path = Path(folder, name.lower())
        text = read_private(path, by_system=True)
        if text is None:
            continue
        value = text.strip()
        if not value or "\n" in value:
            raise BadDocument(str(path), "must hold one line", "write the value alone")
        found[name] = value
    return found
