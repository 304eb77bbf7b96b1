"""A Dockerfile carried out without a builder: its steps, in order, in bare root file systems of their own.

Understood is what our Dockerfile uses; anything else is an error. Two things differ from a builder: the base image is
this machine's Python and programs, seen read-only; and no package index is reached, so that pip finds the locked
packages where the tests have them, and checks their versions, not their hashes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

BOX = Path(__file__).with_name("rootbox.sh")
BASE = Path(sys.base_prefix)
PACKAGES = str(Path(sysconfig.get_path("purelib")).resolve())
SHOWN = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/share", str(BASE), PACKAGES)
CANNOT = 77


class Step(NamedTuple):
    """One instruction: its word in capitals, and its text with continued lines joined."""

    word: str
    text: str


class Stage:
    """One stage: its root file system and what the instructions said of it so far."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin"}
        self.user, self.folder, self.stop_signal = "0:0", "/", "SIGTERM"
        self.volumes: list[str] = []
        self.labels: dict[str, str] = {}
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self.health: list[str] = []


def steps_of(text: str) -> list[Step]:
    """The instructions of a Dockerfile."""
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    words = [line.strip().partition(" ") for line in lines.replace("\\\n", " ").splitlines()]
    return [Step(word, " ".join(rest.split())) for word, _, rest in words]


def context_of(folder: Path) -> frozenset[str]:
    """The files that a builder is given: those that .dockerignore keeps."""
    lines = (folder / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    kept = [folder / line[1:] for line in patterns if line.startswith("!")]
    files = [path for top in kept for path in (top, *top.rglob("*")) if path.is_file()]
    return frozenset(name for path in files if is_kept(name := str(path.relative_to(folder)), patterns))


def is_kept(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file goes to the builder: the last pattern that fits it, or a folder above it, decides."""
    places = [name, *(str(folder) for folder in Path(name).parents[:-1])]
    kept = True
    for pattern in patterns:
        text = re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        if any(re.fullmatch(text, place) for place in places):
            kept = pattern.startswith("!")
    return kept


def built(context: Path, folder: Path) -> Stage:
    """Carry out the Dockerfile of `context` below `folder`; returns its last stage. Skipped where there is no root."""
    files, stages, arguments = context_of(context), dict[str, Stage](), dict[str, str]()
    stage = Stage(folder)
    for word, text in steps_of((context / "Dockerfile").read_text()):
        match word:
            case "ARG":
                name, _, value = text.partition("=")
                arguments[f"${{{name}}}"] = value
            case "FROM":
                image, _, name = text.partition(" AS ")
                assert arguments.get(image, image).startswith("python:3.11-"), image
                stage = stages[name] = Stage(folder / f"stage-{len(stages)}")
                _bare(stage.root)
            case "RUN":
                _run(stage, text)
            case "COPY" if text.startswith("--from="):
                name, source, target = text.removeprefix("--from=").split()
                _copy_stage(stages[name], source, stage, target)
            case "COPY":
                *sources, target = text.split()
                for source in sources:
                    _copy(context, files, source, stage, target)
            case "ENV":
                stage.env |= dict(pair.split("=", 1) for pair in text.split())
            case "LABEL":
                stage.labels |= dict(re.findall(r'([\w.]+)="([^"]*)"', text))
            case "WORKDIR":
                stage.folder = text
                _in(stage, text).mkdir(parents=True, exist_ok=True)
            case "VOLUME":
                stage.volumes.append(text)
            case "USER":
                stage.user = text
            case "STOPSIGNAL":
                stage.stop_signal = text
            case "HEALTHCHECK":
                stage.health = json.loads(text.partition(" CMD ")[2])
            case "ENTRYPOINT":
                stage.entrypoint = json.loads(text)
            case "CMD":
                stage.command = json.loads(text)
            case _:
                raise AssertionError(f"{word} is not understood here")
    return stage


def boxed(
    stage: Stage, words: Sequence[str], env: Mapping[str, str], *, user: str = "", volume: str = "", folder: str = "/"
) -> list[str]:
    """The command line that runs these words in the stage's root file system."""
    settings = {
        "BOX_SHOW": ":".join(dict.fromkeys(SHOWN)),
        "BOX_FOLDER": folder,
        "BOX_USER": user,
        "BOX_VOLUME": volume,
    }
    set_to = [f"{name}={value}" for name, value in settings.items()]
    inside = [f"{name}={value}" for name, value in env.items()]
    return ["env", *set_to, str(BOX), str(stage.root), "env", "-i", *inside, *words]


def _run(stage: Stage, text: str) -> None:
    assert stage.user == "0:0", "what is installed belongs to root"
    env = stage.env | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PYTHONPATH": PACKAGES}
    done = subprocess.run(
        boxed(stage, ["sh", "-c", text], env, folder=stage.folder), capture_output=True, text=True, timeout=600
    )
    if done.returncode == CANNOT:
        if os.environ.get("REBALANCER_TESTS_NEED_SYSTEMD"):
            pytest.fail(done.stderr)
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, f"RUN {text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def _copy(context: Path, files: frozenset[str], source: str, stage: Stage, target: str) -> None:
    """A folder's content goes into the target; a file goes into it when it ends with a slash, else becomes it."""
    place, name = _in(stage, target), source.rstrip("/")
    inside = [one for one in files if one.startswith(f"{name}/")]
    assert inside or name in files, f"COPY {source}: it is not in the context"
    for one in inside or [name]:
        into = place / os.path.relpath(one, name) if inside else place / Path(one).name
        there = into if inside or target.endswith("/") else place
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(context / one, there)


def _copy_stage(source_stage: Stage, source: str, stage: Stage, target: str) -> None:
    place = _in(stage, target)
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--", _in(source_stage, source), place], check=True)


def _in(stage: Stage, path: str) -> Path:
    return stage.root / os.path.normpath(f"{stage.folder}/{path}" if path[0] != "/" else path).lstrip("/")


def _bare(root: Path) -> None:
    """What the base image has of its own: the names of programs and users, and Python in /usr/local."""
    for folder in ("etc", "usr/local/bin", "tmp", "opt"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    for name in ("python", "pip"):
        (root / "usr/local/bin" / name).symlink_to(BASE / "bin" / name)
    (root / "usr/local/lib").symlink_to(BASE / "lib")


class Container:
    """One run of an image as compose.yaml runs it: its user without any capability, a read-only root file system, one
    volume. The command is process 1, with no init program above it, which is the harder case."""

    def __init__(self, image: Stage, volume: Path, command: Sequence[str] = (), **variables: str) -> None:
        self._env = image.env | variables
        self._image = image
        (place,) = image.volumes
        words = boxed(
            image, [*image.entrypoint, *(command or image.command)], self._env,
            user=image.user, volume=f"{volume}={place}", folder=image.folder,
        )  # fmt: skip
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()  # and with it, by the kernel, all that is in the box
        self.process.communicate()

    def ended(self) -> tuple[int, str, str]:
        """Wait for its end; exit code, stdout and stderr."""
        out, err = self.process.communicate(timeout=300)
        return self.process.returncode, out, err

    def said(self, words: str) -> str:
        """The next line of its log that has these words."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline()):
            assert line, f"it ended before it said {words}"
        return line

    def stop(self) -> tuple[int, str, str]:
        """Ask process 1 to stop, as an engine does, and wait for its end."""
        os.kill(self._first(), signal.Signals[self._image.stop_signal])
        return self.ended()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `docker exec` does."""
        user, group = self._image.user.split(":")
        into = ["nsenter", f"--target={self._first()}", "--mount", "--pid", "--net", "--ipc", "--root"]
        as_user = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--inh-caps=-all", "--no-new-privs"]
        set_to = [f"{name}={value}" for name, value in self._env.items()]
        words = [*into, "--", *as_user, "env", "-i", "-C", self._image.folder, *set_to, *command]
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def _first(self) -> int:
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)
