"""What a trial is known by: hashes of its configuration, of its data, and of the program's code.

The configuration is everything that was chosen: the keys that planning reads, preset, days, costs, fills. The data are
prices, instructions, corporate actions and sectors, by content and never by name. The same configuration on the same
data is the same trial, whoever runs it and wherever the files are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from rebalancer.core.documents import canonical, sha256
from rebalancer.core.input_file import refuse_irregular
from rebalancer.core.planning_keys import planning_hash
from rebalancer.research.backtest import BacktestRequest
from rebalancer.research.price_files import PriceHistory
from rebalancer.research.trial_ledger import TrialKey

PACKAGE: Final = Path(__file__).parents[1]
ROOMS: Final = ("core", "market_data", "performance", "planning", "regimes", "research", "signals")  # that compute
CHOSEN: Final = (
    "preset", "first", "last", "costs", "fill", "rebalance", "equity", "delisted", "delisted_after",
)  # fmt: skip


def trial_key(request: BacktestRequest) -> TrialKey:
    """The hashes of a request. Reads its files. Raises BadDocument for one that cannot be read."""
    return TrialKey(config_hash(request), data_hash(request), code_hash())


def config_hash(request: BacktestRequest) -> str:
    """The hash of everything that was chosen."""
    chosen: dict[str, Any] = {name: getattr(request, name) for name in CHOSEN}
    chosen["costs"] = [repr(part) for part in request.costs]
    chosen["equity"] = repr(float(request.equity))
    return sha256(f"{planning_hash(request.rules)}\n{canonical(chosen)}")


def data_hash(request: BacktestRequest) -> str:
    """The hash of everything that was given."""
    if request.record is not None:
        cycles = [f"{cycle.plan.snapshot_sha256} {canonical(dict(cycle.filled))}" for cycle in request.record.cycles]
        return sha256("\n".join(["record", *cycles]))
    sectors = {symbol: list(row) for symbol, row in sorted(request.sectors.items())}
    parts = [content_hash(part) for part in (request.prices, request.instructions, request.actions)]
    return sha256("\n".join([*parts, canonical(sectors)]))


def content_hash(given: object) -> str:
    """The hash of a file, a folder of files, a frame, or prices that were read; "" for nothing."""
    if given is None:
        return ""
    if isinstance(given, Path):
        return _path_hash(given)
    if isinstance(given, PriceHistory):
        return _arrays_hash({name: value for name, value in given.market._asdict().items() if value is not None})
    return _frame_hash(given)


def _path_hash(path: Path) -> str:
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.is_file())
        return sha256("\n".join(f"{one.name} {_path_hash(one)}" for one in files))
    refuse_irregular(path)
    if not path.exists():
        return path.name
    found = path.stat()
    return _file_hash(path.absolute(), found.st_size, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=256)
def _file_hash(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arrays_hash(columns: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, value in columns.items():
        array = np.asarray(value)
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update("\n".join(value).encode() if isinstance(value, tuple) else np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _frame_hash(frame: Any) -> str:
    from pandas.util import hash_pandas_object

    digest = hashlib.sha256("\n".join(str(column) for column in frame.columns).encode())
    digest.update(hash_pandas_object(frame, index=True).to_numpy().tobytes())
    return digest.hexdigest()


@cache
def code_hash() -> str:
    """The hash of the program's own texts that results are computed by."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            with path.open("rb") as file:
                digest.update(
                    f"{path.relative_to(PACKAGE)} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
                )
    return digest.hexdigest()
