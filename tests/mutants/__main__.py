"""Plant every bug, one at a time, in a copy of the project and see whether its tests notice: `python -m tests.mutants`.

First the tests must pass without it (else there is NO PROOF). Prints one line a mutant and the sum; exit 1 when one
survived. Give words to run only the mutants whose names hold them; a word that names none is refused with the list of
all names and exit 2.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.planted import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 600


def main(words: list[str]) -> int:
    """Run the chosen mutants."""
    unknown = [word for word in words if not any(word in mutant.name for mutant in MUTANTS)]
    if unknown:
        names = "\n".join(f"  {mutant.name}" for mutant in MUTANTS)
        sys.stderr.write(f"error: no mutant is named {', '.join(map(repr, unknown))}; there are:\n{names}\n")
        return 2
    chosen = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    survived = []
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        for part in ("rebalancer", "tests"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        for path in ROOT.iterdir():
            if path.name not in ("rebalancer", "tests", ".git", ".venv") and not (tree / path.name).exists():
                (tree / path.name).symlink_to(path)
        broken = {
            tests for tests in {m.tests for m in chosen} if not all(passes(tree, c) for c in commands(tree, tests))
        }
        for mutant in chosen:
            noticed = mutant.tests not in broken and is_noticed(tree, mutant)
            word = "NO PROOF" if mutant.tests in broken else "caught  " if noticed else "SURVIVED"
            print(f"{word}  {mutant.file}: {mutant.name}", flush=True)
            if not noticed:
                survived.append(mutant)
    print(f"{len(chosen) - len(survived)} of {len(chosen)} caught")
    return 1 if survived else 0


def is_noticed(tree: Path, mutant: Mutant) -> bool:
    """Plant one bug, run its tests, and take it out again."""
    path = tree / "rebalancer" / mutant.file
    before = path.read_text()
    path.write_text(planted(before, mutant))
    try:
        return any(not passes(tree, command) for command in commands(tree, mutant.tests))
    finally:
        path.write_text(before)


def planted(text: str, mutant: Mutant) -> str:
    """The file with the bug. Raises ValueError unless the place is there exactly once."""
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file}: {mutant.old!r} stands there {text.count(mutant.old)} times")
    return text.replace(mutant.old, mutant.new)


def commands(tree: Path, tests: str) -> list[list[str]]:
    """What to run; paths that do not exist are left out, as tests move."""
    words, found = tests.split(), []
    if "sim" in words:
        found.append([sys.executable, "-m", "tests.sim", "--seeds", words[words.index("sim") + 1]])
        words = words[: words.index("sim")]
    paths = [word for word in words if (tree / word.partition("::")[0]).exists()]
    if paths:
        found.insert(0, [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout=300", *paths])
    return found


def passes(tree: Path, command: list[str]) -> bool:
    """Whether the command succeeds; taking too long is a failure, since a hang is noticed too."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return False
    assert ended.returncode in (0, 1, 2), ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
