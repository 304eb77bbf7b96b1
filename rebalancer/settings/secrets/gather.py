"""Variables and secrets, by source: environment, env file, systemd credentials, AWS; the first one wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rebalancer.core.database_url import split_password
from rebalancer.core.documents import BadDocument
from rebalancer.ops.logs.redact import learn, secrets_among
from rebalancer.settings.secrets.aws import VARIABLE, read_aws
from rebalancer.settings.secrets.env_file import env_file_path, read_env_file
from rebalancer.settings.secrets.private_file import read_private
from rebalancer.settings.secrets.secret import SECRET_NAMES, Secret

ENVIRONMENT: Final = "environment"
CREDENTIALS: Final = "systemd credential"
JOURNAL_PASSWORD: Final = "REBALANCER_JOURNAL_PASSWORD"  # noqa: S105  its name
MIRROR_PASSWORD: Final = "REBALANCER_MIRROR_PASSWORD"  # noqa: S105  its name
_ADDRESSES: Final = {"REBALANCER__JOURNAL__URL": JOURNAL_PASSWORD, "REBALANCER__JOURNAL__MIRROR_URL": MIRROR_PASSWORD}


class Surroundings(Mapping[str, str]):
    """The effective variables, as a mapping whose string form shows no values.

    AWS is queried once, when a secret is read that no earlier source has, so that commands without secrets never query
    it.
    """

    def __init__(self, kept: Mapping[str, Secret]) -> None:
        self._kept = dict(kept)
        self._asked = False

    def __getitem__(self, name: str) -> str:
        found = self._find(name)
        if found is None:
            raise KeyError(name)
        return found.reveal()

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __repr__(self) -> str:
        return f"Surroundings({len(self._kept)} variables)"

    def origins(self) -> dict[str, str]:
        """The origin of each secret, as far as is known without querying AWS."""
        return {name: self._kept[name].origin for name in SECRET_NAMES if name in self._kept}

    def _find(self, name: str) -> Secret | None:
        if name in SECRET_NAMES and name not in self._kept and not self._asked and VARIABLE in self._kept:
            secret_id = self._kept[VARIABLE].reveal()
            found = read_aws(secret_id, {key: kept.reveal() for key, kept in self._kept.items()})
            self._asked = True
            _learn(found)
            self._kept = {key: Secret(value, f"AWS secret {secret_id}") for key, value in found.items()} | self._kept
        return self._kept.get(name)


def surroundings(environ: Mapping[str, str], profile: str) -> Surroundings:
    """Gather all variables: from the environment, then the env file, then systemd credentials.

    A variable that is set but empty counts as not set, so that a unit can pass on one that a machine lacks. Raises
    BadDocument for a file that others may access or that cannot be parsed.
    """
    path = env_file_path(environ, profile)
    layers = (
        (ENVIRONMENT, environ),
        (str(path), {} if path is None else read_env_file(path)),
        (CREDENTIALS, read_credentials_folder(environ)),
    )
    kept: dict[str, Secret] = {}
    for origin, layer in layers:
        _learn(layer)
        for name, value in layer.items():
            if name not in kept or (name in SECRET_NAMES and not kept[name].reveal()):
                kept[name] = Secret(value, origin)
    _without_passwords(kept)
    return Surroundings({name: one for name, one in kept.items() if one.reveal() or name not in SECRET_NAMES})


def _without_passwords(kept: dict[str, Secret]) -> None:
    """Take the passwords out of the journal's addresses, which are shown and stored, and keep them as the secrets that
    they are."""
    for name in [name for name in kept if name.upper() in _ADDRESSES]:
        url, password = split_password(kept[name].reveal())
        if password is not None:
            secret = _ADDRESSES[name.upper()]
            _learn({secret: password})
            kept[secret] = Secret(password, kept[name].origin)
            kept[name] = Secret(url, kept[name].origin)


def _learn(values: Mapping[str, str]) -> None:
    """Redact these values in all logs and errors from now on, even those overridden by another source."""
    learn(secrets_among(values))
    learn(value for name, value in values.items() if name in SECRET_NAMES)


# systemd credentials: one file per secret in $CREDENTIALS_DIRECTORY, named in lower case (`apca_api_key_id`).


def read_credentials_folder(environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets passed by systemd (LoadCredential=); empty outside such a unit. Raises BadDocument."""
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
