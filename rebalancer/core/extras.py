"""The optional packages by extra, and how to install them.

Messages name the packages themselves: that works in a checkout as well as after an installation from a file, and the
name `rebalancer` on the package index belongs to another project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "alerts": ("apprise>=1.9",),
    "aws": ("boto3>=1.40",),
    "evidence": ("cryptography>=44",),
    "excel": ("openpyxl>=3.1",),
    "fast": ("numba>=0.62",),
    "model": ("xgboost-cpu>=3",),
    "postgres": ("psycopg[binary]>=3.2",),
    "replay": ("pyarrow>=21",),
    "search": ("optuna>=5",),
    "sweep": ("distributed>=2026.7",),
    "web": ("fastapi>=0.130", "prometheus-client>=0.22"),
}


def install_hint(extra: str) -> str:
    """How to install what an extra needs."""
    return f"pip install {' '.join(repr(package) for package in EXTRAS[extra])}, which is the extra `{extra}`"
