"""The image: no builder is needed. The Dockerfile's own steps are carried out in a bare root file system, and what
comes out of them trades there. Without root: skipped."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.packaging.image import PACKAGES, Container, Stage, built, context_of, steps_of

ROOT = Path(__file__).parents[2]
OWNER = 10001
PRACTISE = {"REBALANCER_ENVIRONMENT": "development", "REBALANCER__SESSION__CRYPTO_AROUND_THE_CLOCK": "true"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The image, of which the packages are those of this environment."""
    stage = built(ROOT, tmp_path_factory.mktemp("image"))
    (packages,) = (stage.root / "opt/rebalancer/lib").glob("python*/site-packages")
    (packages / "of_the_tests.pth").write_text(f"{PACKAGES}\n")
    return stage


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An empty volume: an engine gives it the owner and the mode that the image's folder has."""
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o700)
    os.chown(folder, OWNER, OWNER)
    return folder


def test_what_the_image_says_of_itself(image: Stage) -> None:
    assert image.labels["org.opencontainers.image.title"] == "batch-rebalancer"
    assert (image.user, image.volumes, image.stop_signal) == (f"{OWNER}:{OWNER}", ["/data"], "SIGTERM")
    data = (image.root / "data").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o777) == (OWNER, OWNER, 0o700)
    owners = {path.lstat().st_uid for path in (image.root / "opt").rglob("*")}
    assert owners == {0}, "the program cannot change itself"
    assert not list((image.root / "opt/rebalancer").rglob("bin/pip*")), "nor install anything"


def test_it_trades_from_an_empty_volume_and_keeps_its_state(image: Stage, volume: Path) -> None:
    with Container(image, volume) as container:
        code, out, err = container.ended()
    assert (code, out) == (78, "")
    assert "there is no key, and this is production (REBALANCER_ENVIRONMENT says so)" in err
    assert (volume / "config/execution.yaml").read_text() == (ROOT / "config/execution.yaml").read_text()
    (volume / "config/execution.yaml").write_text("# mine\nexecution: {max_orders_per_execution: 5}\n")

    with Container(image, volume, ["run-now"], **PRACTISE) as container:
        code, _, err = container.ended()
    assert code in (0, 4), err
    assert (volume / "config/execution.yaml").read_text().startswith("# mine"), "init leaves what is there"
    assert (volume / "reports/latest.html").is_file()

    with Container(image, volume, **PRACTISE) as container:
        container.said('"session_began"')
        healthy = container.run(*image.health)
        assert (healthy.returncode, healthy.stderr) == (0, "")
        status = json.loads(container.run("rebalancer", "status", "--json").stdout)
        assert status["last_cycle"]["outcome"] == "COMPLETED", "of the container before"
        assert status["environment_because"] == "REBALANCER_ENVIRONMENT says so"
        second = container.run("rebalancer", "session", "--every-day")
        assert (second.returncode, "desk.lock: held by process 1 " in second.stderr) == (75, True)
        places = "/ /data /dev /etc /opt/rebalancer /proc /run /tmp /usr /usr/local/bin /usr/local/lib"
        tried = container.run(
            "sh", "-c", f"for one in {places}; do touch $one/x 2>/dev/null && echo $one; done; id -u; id -G"
        )
        assert tried.stdout.split() == ["/data", "/tmp", str(OWNER), str(OWNER)]
        zones = "import zoneinfo; zoneinfo.reset_tzpath(to=()); zoneinfo.ZoneInfo('America/New_York')"
        assert container.run("python", "-c", zones).returncode == 0, "time zones without those of the system"

        (process,) = json.loads((volume / "state/desk.json").read_text())["accounts"]
        container.run("sh", "-c", f"kill -9 {process['pid']}")
        container.said("the session ended with exit code -9; another one starts in 30 s")
        sick = container.run(*image.health)
        assert (sick.returncode, sick.stderr) == (1, "error: the last session ended with exit code -9\n")
        assert container.stop()[0] == 0
    assert not (volume / "state/desk.json").exists()
    assert {path.stat().st_uid for path in volume.rglob("*")} == {OWNER}


def test_a_running_session_ends_with_its_container(image: Stage, volume: Path) -> None:
    with Container(image, volume, **PRACTISE) as container:
        container.said('"session_began"')
        code, _, err = container.stop()
    assert (code, "the session is being stopped (SIGTERM)" in err) == (0, True)
    assert not list(volume.rglob("session.json"))
    assert not list(volume.rglob("exchange.url"))


def test_nothing_private_goes_to_the_builder(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    private = [
        ".env", ".git/config", "paper-trading.env", "secrets/apca_api_key_id", "config/desk.env", "rebalancer/a/.env",
        "reports/latest.html", "state/journal.sqlite", "rebalancer/__pycache__/a.pyc", "tests/x.py", "signals/mine.csv",
    ]  # fmt: skip
    given = ["rebalancer/a.py", "rebalancer/deep/a/b.html", "config/execution.yaml", "signals/README.md", "LICENSE"]
    for name in (*private, *given):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert context_of(tmp_path) == set(given)


def test_the_builder_is_given_what_is_copied_and_no_more() -> None:
    copied = [
        name.rstrip("/")
        for word, text in steps_of((ROOT / "Dockerfile").read_text())
        if word == "COPY" and not text.startswith("--")
        for name in text.split()[:-1]
    ]
    context = context_of(ROOT)
    assert all(any(one == name or one.startswith(f"{name}/") for one in context) for name in copied)
    left = {one for one in context if not any(one == name or one.startswith(f"{name}/") for name in copied)}
    assert left == {"Dockerfile"}


def test_what_is_installed_is_what_is_tested() -> None:
    """Every entry of the image's locks, with its hashes, stands in the lock of the tests; the extras are there."""
    tested = entries(ROOT / "requirements-dev.txt")
    image = entries(ROOT / "container/requirements.txt")
    assert {*image, *entries(ROOT / "container/requirements-build.txt")} <= {*tested}
    names = {re.split(r"==", entry)[0] for entry in image}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    more = project["optional-dependencies"]
    wanted = [*project["dependencies"], *more["web"], *more["postgres"]]
    assert {re.split(r"[\[<>=]", one)[0] for one in wanted} <= names


def entries(path: Path) -> list[str]:
    """One line for each locked package: name, version, marker and hashes."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [" ".join(entry.split()) for entry in "\n".join(lines).replace("\\\n", " ").splitlines()]
