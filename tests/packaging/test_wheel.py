"""What is installed from a file: its contents, and that a folder made by it trades without a checkout.

The dependencies are those of this environment; an index is never asked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from rebalancer.cli.project_files import PROJECT_FILES, shipped
from rebalancer.core.extras import EXTRAS, install_hint
from rebalancer.version import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = "batch_rebalancer"


def built(kind: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = folder.iterdir()
    return found


def names_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_the_package_and_what_a_project_needs(wheel: Path) -> None:
    assert wheel.name == f"{NAME}-{__version__}-py3-none-any.whl"
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "rebalancer").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names_of(wheel) == package | {f"rebalancer/defaults/{name}" for name in PROJECT_FILES}
    with zipfile.ZipFile(wheel) as archive:
        for name in PROJECT_FILES:
            assert archive.read(f"rebalancer/defaults/{name}").decode() == shipped(name)
        metadata = archive.read(f"{NAME}-{__version__}.dist-info/METADATA").decode()
    assert {"Name: batch-rebalancer", "Requires-Python: >=3.11"} <= set(metadata.splitlines())


def test_the_folders_of_a_project_are_shipped_whole() -> None:
    folders = ("config", "scripts", "systemd")
    found = {str(path.relative_to(ROOT)) for name in folders for path in (ROOT / name).rglob("*") if path.is_file()}
    scripts = {path.name for path in ROOT.glob("*_execution_trading*.sh")}
    assert found | scripts | {"signals/README.md"} == {*PROJECT_FILES}


def test_a_wheel_of_the_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    archive = built("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as found:
        found.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    names = {"README.md", "LICENSE", "requirements.txt", "docs", "tests", "Dockerfile", ".dockerignore", "compose.yaml"}
    assert names <= {path.name for path in source.iterdir()}
    assert names_of(built("wheel", source, tmp_path / "again")) == names_of(wheel)


def test_an_empty_environment_trades_in_a_new_folder(wheel: Path, tmp_path: Path) -> None:
    """`pip install FILE.whl && rebalancer init desk && cd desk && rebalancer run-now`, and the scripts there."""
    environment, desk = tmp_path / "env", tmp_path / "desk"
    venv.create(environment, with_pip=True, symlinks=True)
    environ = {
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1",
        "XDG_STATE_HOME": str(tmp_path / "state"), "OPENBLAS_NUM_THREADS": "1",
        "XDG_RUNTIME_DIR": str(tmp_path / "run"), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
    }  # fmt: skip

    def run(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode in codes, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    run(tmp_path, "pip", "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", str(wheel))
    (packages,) = (environment / "lib").glob("python*/site-packages")
    (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(tmp_path, "python", "-c", "import rebalancer; print(rebalancer.__file__)").strip()
    assert Path(where).parent == packages / "rebalancer"
    assert run(tmp_path, "rebalancer", "--version") == f"rebalancer {__version__}\n"
    run(tmp_path, "rebalancer", "init", "desk")
    run(desk, "rebalancer", "run-now", codes=(0, 4))
    assert (desk / "reports" / "latest.html").is_file()
    status = json.loads(run(desk, "rebalancer", "status", "--json"))
    assert status["last_cycle"]["outcome"] == "COMPLETED"
    run(desk, "./run_execution_trading_now.sh", "--dry-run", codes=(0, 4))
    assert "holding: no trade is due" in run(desk, "./status_execution_trading.sh")
    assert not (desk / ".venv").exists()
    (desk / ".interpreter").write_text("/usr/bin/false\n")
    run(desk, "./run_execution_trading_now.sh", "--dry-run", codes=(1,))


def test_extras_and_their_hints_are_those_of_the_distribution() -> None:
    assert {name: list(packages) for name, packages in EXTRAS.items()} == dict(
        sorted(PROJECT["optional-dependencies"].items())
    )
    expected = "pip install 'fastapi>=0.130' 'prometheus-client>=0.22', which is the extra `web`"
    assert install_hint("web") == expected


def test_nobody_is_told_to_install_another_project() -> None:
    """`rebalancer` on the package index is not ours."""
    texts = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("rebalancer/**/*.py"),
    ]
    told = re.compile(r"(?:pip3?|uv|pipx)\s+(?:tool\s+)?(?:install|add|run)\s+(?:-\S+\s+)*['\"`]?rebalancer\b")
    assert [str(path) for path in texts if told.search(path.read_text(encoding="utf-8"))] == []
    assert told.search("pip install --upgrade 'rebalancer[web]'")
