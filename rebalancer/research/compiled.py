"""A compiled copy of the numeric core.

The texts of `planning.core` are copied, unchanged but for the name of their package, into a folder of the cache that is
named by their hash; only `seams.py` is another one, which compiles. So a changed text can never run as the old one,
although a compiler's cache looks at one file at a time; and both copies run side by side in one process.

Compiling takes about half a minute, once for each version of the texts; later processes load the result in a fraction
of a second.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from rebalancer.planning import core
from rebalancer.planning.core.columns import Decision, Names, Opinions, Orders, SignalRows, Targets, Trades
from rebalancer.planning.to_columns import Columns

PACKAGE: Final = "rebalancer.planning.core"
BESIDE: Final = tuple(
    Path(__file__).with_name(name)
    for name in ("bar_columns.py", "engine.py", "ledger.py", "position_exits.py", "tape.py")
)
SEAMS: Final = Path(__file__).with_name("compiled_seams.py")


class NotCompiled(RuntimeError):
    """The compiler is not installed: `pip install numba` brings it, which is the extra `fast`."""


def cache_folder() -> Path:
    """Where compiled copies are kept: `rebalancer` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rebalancer"


@cache
def compiled_core(say: Callable[[str], object] = sys.stderr.write) -> ModuleType:
    """The module `decide` of the compiled copy. say: told one line when it has to be compiled first. Raises
    NotCompiled."""
    try:
        version = importlib.import_module("numba").__version__
    except ImportError as error:
        raise NotCompiled("the numeric core can be compiled with the extra `fast`, which is not installed") from error
    texts = {path.name: path.read_text() for path in sorted(Path(core.__path__[0]).glob("*.py"))}
    texts |= {"seams.py": SEAMS.read_text(), **{path.name: path.read_text() for path in BESIDE}}
    known = [platform.python_version(), np.__version__, version, *(f"{name}\n{texts[name]}" for name in sorted(texts))]
    name = f"rebalancer_core_{hashlib.sha256(chr(0).join(known).encode()).hexdigest()[:16]}"
    folder = cache_folder() / name
    if not folder.exists():
        say("compiling the numeric core: once for this version, about half a minute ...\n")
        _write(folder, {file: _moved(text, name) for file, text in texts.items()})
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return importlib.import_module(f"{name}.decide")


def compiled_engine(say: Callable[[str], object] = sys.stderr.write) -> ModuleType:
    """The module `engine` of the compiled copy. Raises NotCompiled."""
    return importlib.import_module(f"{compiled_core(say).__name__.rpartition('.')[0]}.engine")


def decide_compiled(columns: Columns) -> Decision:
    """The decision of the compiled core, in the core's own records: the same bits as `planning.core.decide.decide`."""
    module = compiled_core()
    found = module.decide(
        arrays(module.Names, columns.names),
        arrays(module.SignalRows, columns.signals),
        np.array(columns.limits, np.int64),
        module.Numbers(*columns.numbers),
        module.Funds(*columns.funds),
    )
    parts = (type_(*(_list(column) for column in part)) for type_, part in zip(_PARTS, found, strict=True))
    return Decision(*parts)


def arrays(kind: Any, columns: Names | SignalRows) -> Any:
    """The columns as arrays, in the compiled copy's record of this kind."""
    floats = {name for name, type_ in type(columns).__annotations__.items() if "Floats" in str(type_)}
    return kind(
        *(
            np.array(column, np.float64 if name in floats else np.int64)
            for name, column in zip(columns._fields, columns, strict=True)
        )
    )


_PARTS: Final = (Opinions, Targets, Trades, Orders)


def _list(column: Any) -> list[Any]:
    found: list[Any] = column.tolist()
    return found


def _moved(text: str, name: str) -> str:
    """A text that imports its neighbours from another package."""
    found = text.replace(PACKAGE, name)
    for path in BESIDE:
        found = found.replace(f"from rebalancer.research.{path.stem} import", f"from {name}.{path.stem} import")
    return found


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Write a package at once or not at all; another process may be doing the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    for name, text in texts.items():
        (made / name).write_text(text)
    try:
        made.rename(folder)
    except OSError:
        shutil.rmtree(made)
        if not folder.exists():
            raise
