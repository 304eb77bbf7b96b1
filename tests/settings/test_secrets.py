"""Where secrets come from, which place wins, and that no text shows one."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.settings.secrets import SECRET_NAMES, Secret, surroundings
from rebalancer.settings.secrets.env_file import read_env_file

NAME = "APCA_API_KEY_ID"


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("canary", "here")
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>9}", f"{[secret]}"} == {"***", "[***]"}
    assert secret.reveal() == "canary"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_the_nearer_place_wins_and_the_origin_is_told(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name in SECRET_NAMES[:3]:
        private(credentials / name.lower(), "from-systemd\n", 0o440)
    lines = "".join(f"{name}='from-file'\n" for name in SECRET_NAMES[:2])
    path = private(tmp_path / "paper-trading@x.env", f"# keys\n\nexport A=1\n{lines}")
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "CREDENTIALS_DIRECTORY": str(credentials), NAME: "from-variable"}
    found = surroundings(environ, "x")
    assert [found[name] for name in SECRET_NAMES[:3]] == ["from-variable", "from-file", "from-systemd"]
    assert list(found.origins().values()) == ["environment", str(path), "systemd credential"]
    assert (found["A"], found.get("TRADERVUE_PASSWORD")) == ("1", None)
    assert "from-" not in repr(found) + str(found)
    assert surroundings({**environ, NAME: ""}, "x")[NAME] == "from-file"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o700, 0o660])
def test_an_env_file_that_others_may_read_is_refused_with_the_remedy(mode: int, tmp_path: Path) -> None:
    path = private(tmp_path / "a.env", f"{NAME}=canary\n", mode)
    with pytest.raises(BadDocument, match=f"chmod 600 {path}") as refused:
        read_env_file(path)
    assert "canary" not in str(refused.value)


def test_links_folders_and_broken_lines_are_refused(tmp_path: Path) -> None:
    real = private(tmp_path / "real", "")
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadDocument, match="symbolic link"):
        read_env_file(tmp_path / "link")
    with pytest.raises(BadDocument, match="is not a regular file"):
        read_env_file(tmp_path / "folder")
    assert read_env_file(tmp_path / "none") == {}
    for text, problem in {
        "canary": "is not NAME=value",
        "A=1\nA=canary": "A is set twice",
        "A='canary": "not closed",
    }.items():
        with pytest.raises(BadDocument, match=problem) as refused:
            read_env_file(private(tmp_path / "bad", text))
        assert "canary" not in str(refused.value)


class Answers(BaseHTTPRequestHandler):
    """Secrets Manager's GetSecretValue over HTTP."""

    told: ClassVar[dict[str, tuple[int, dict[str, str]]]] = {
        "good": (200, {"SecretString": json.dumps({NAME: "from-aws", "OTHER": "x"})}),
        "text": (200, {"SecretString": "canary"}),
        "list": (200, {"SecretString": '["canary"]'}),
        "other": (200, {"SecretString": '{"OTHER": "canary"}'}),
        "denied": (400, {"__type": "AccessDeniedException"}),
        "broken": (500, {"__type": "InternalServiceError"}),
    }
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["SecretId"]
        assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        self.asked.append(name)
        code, body = self.told.get(name, (400, {"__type": "ResourceNotFoundException"}))
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    pytest.importorskip("boto3")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    Answers.asked = []
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_SECRETS_MANAGER": url}
        server.shutdown()
        thread.join()


def test_aws_is_asked_once_and_only_when_needed(aws: dict[str, str]) -> None:
    found = surroundings({**aws, "REBALANCER_AWS_SECRET": "good"}, "")
    assert (dict.fromkeys(found), Answers.asked) == (dict.fromkeys([*aws, "REBALANCER_AWS_SECRET"]), [])
    assert (found[NAME], found.get("TRADERVUE_PASSWORD"), "OTHER" in found) == ("from-aws", None, False)
    assert (found.origins(), Answers.asked) == ({NAME: "AWS secret good"}, ["good"])
    assert surroundings({**aws, "REBALANCER_AWS_SECRET": "good", NAME: "near"}, "")[NAME] == "near"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none", "no such secret"), ("denied", "AWS denied access"), ("text", "is not JSON"),
        ("list", "not a JSON object of texts"), ("other", "none of this program's secrets"),
        ("broken", "AWS refused .InternalServiceError."),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_told_without_a_value(name: str, problem: str, aws: dict[str, str]) -> None:
    found = surroundings({**aws, "REBALANCER_AWS_SECRET": name}, "")
    with pytest.raises(BadDocument, match=problem) as refused:
        found.get(NAME)
    assert "canary" not in str(refused.value)


def test_no_answer_and_no_boto3_have_their_own_words(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    silent = {**aws, "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9", "REBALANCER_AWS_SECRET": "good"}
    with pytest.raises(BrokerUnavailable, match="did not answer"):
        surroundings(silent, "").get(NAME)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BadDocument, match=r"pip install 'boto3>=1.40'"):
        surroundings(silent, "").get(NAME)
