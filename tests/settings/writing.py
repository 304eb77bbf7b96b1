"""Write a configuration and load it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rebalancer.settings.load import LoadedRules, load_rules
from rebalancer.settings.origin import BadConfiguration


def load(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> LoadedRules:
    """Load one file with this text."""
    path = folder / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_rules([path], environ or {})


def refusal(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> str:
    """The message that refuses this text, with the folder left out."""
    with pytest.raises(BadConfiguration) as caught:
        load(folder, text, environ)
    return str(caught.value).replace(f"{folder}/", "")
