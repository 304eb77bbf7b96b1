"""The compose files: keys and forms of the compose specification as far as we use them, and everything that they name
is there: commands, options, variables, volumes, secrets, paths."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from rebalancer.cli.commands import app
from rebalancer.core.database_url import problem_of
from rebalancer.session.account_sessions import END_SECONDS
from rebalancer.settings.load import load_rules
from rebalancer.settings.secrets import SECRET_NAMES

ROOT = Path(__file__).parents[2]
FILES = ("compose.yaml", "compose.desk.yaml")
HARDENED = {
    "image": "batch-rebalancer:local", "build": ".", "init": True, "read_only": True, "cap_drop": ["ALL"],
    "tmpfs": ["/tmp:size=64m,mode=1777"], "security_opt": ["no-new-privileges:true"], "restart": "unless-stopped",
}  # fmt: skip
TEXT, LIST, MAP, NUMBER, FLAG = str, list, dict, int, bool
SERVICE = {
    "image": TEXT, "build": TEXT, "init": FLAG, "read_only": FLAG, "tmpfs": LIST, "cap_drop": LIST,
    "security_opt": LIST, "pids_limit": NUMBER, "mem_limit": TEXT, "restart": TEXT, "logging": MAP, "hostname": TEXT,
    "stop_grace_period": TEXT, "environment": MAP, "volumes": LIST, "profiles": LIST, "network_mode": TEXT,
    "networks": LIST, "command": LIST, "depends_on": (LIST, MAP), "healthcheck": MAP, "secrets": LIST,
}  # fmt: skip
HEALTH = {"test": LIST, "interval": TEXT, "timeout": TEXT, "retries": NUMBER, "start_period": TEXT}
TOP = {"name": TEXT, "services": MAP, "volumes": MAP, "networks": MAP, "secrets": MAP}
PLAIN = {"REBALANCER_ENVIRONMENT", "REBALANCER_HOST_NAME", *SECRET_NAMES}
POSTGRES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE"}


def filled(value: Any) -> Any:
    """With every ${NAME:-default} replaced by its default. One without a default would stop a first start."""
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one) for one in value]
    if not isinstance(value, str):
        return value
    text = re.sub(r"\$\{[A-Z][A-Z0-9_]*:-([^}]*)\}", r"\1", value)
    assert "$" not in text, f"{value}: no default"
    return text


@pytest.fixture(params=FILES)
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    document: dict[str, Any] = filled(yaml.safe_load((ROOT / request.param).read_text()))
    return document


def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in compose["services"].items() if "build" in one}


def seconds(text: str) -> int:
    """A duration of the specification, as we write it."""
    found = re.fullmatch(r"(\d+)s", text)
    assert found, text
    return int(found[1])


def refuse_other_keys(place: str, value: dict[str, Any], known: dict[str, Any]) -> None:
    assert not value.keys() - known.keys(), f"{place}: {value.keys() - known.keys()}"
    wrong = [key for key, one in value.items() if not isinstance(one, known[key])]
    assert not wrong, f"{place}: {wrong}"


def test_keys_and_their_forms(compose: dict[str, Any]) -> None:
    refuse_other_keys("the file", {key: one for key, one in compose.items() if not key.startswith("x-")}, TOP)
    for name, service in compose["services"].items():
        refuse_other_keys(name, service, SERVICE)
        refuse_other_keys(f"{name}: healthcheck", service.get("healthcheck", {}), HEALTH)
        assert all(isinstance(one, str) for one in service.get("environment", {}).values()), name
        assert all(isinstance(one, str) for one in service.get("logging", {}).get("options", {}).values()), name
        for key in ("interval", "timeout", "start_period"):
            seconds(service.get("healthcheck", {}).get(key, "1s"))
        test = service.get("healthcheck", {}).get("test", ["CMD", "x"])
        assert test[0] in ("CMD", "CMD-SHELL")
        assert test[0] == "CMD" or len(test) == 2
        assert "network_mode" not in service or "networks" not in service, f"{name}: they exclude each other"
        assert re.fullmatch(r"\d+[mg]", service.get("mem_limit", "1g")), name


def test_what_is_named_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    used: dict[str, set[str]] = {"volumes": set(), "networks": set(), "secrets": set()}
    for name, service in services.items():
        assert {*service.get("depends_on", ())} <= {*services}, name
        used["networks"] |= {*service.get("networks", ())}
        used["secrets"] |= {*service.get("secrets", ())}
        for mount in service.get("volumes", ()):
            source, target, *more = mount.split(":")
            assert target.startswith("/"), mount
            assert more in ([], ["ro"]), mount
            if source.startswith("."):
                assert (ROOT / source / target.removeprefix("/data/config")).exists(), mount
            else:
                used["volumes"].add(source)
    for kind, names in used.items():
        assert names == {*compose.get(kind, {})}, kind
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/.env", "/secrets/"} <= {*ignored}, "what is private stays out of git"
    for name, secret in compose.get("secrets", {}).items():
        assert secret == {"file": f"./secrets/{name}"}
        assert name.upper() in SECRET_NAMES, "the name under which the program looks for it"


def test_every_container_of_ours_is_held_in_the_same_way(compose: dict[str, Any]) -> None:
    for name, service in ours(compose).items():
        assert service.items() >= HARDENED.items(), name
        assert [mount for mount in service["volumes"] if ":/data" in mount and mount.endswith(":/data")], name
        assert "ports" not in service, "nothing is published"
        if service.get("command", ["session"])[0] == "session":
            assert seconds(service["stop_grace_period"]) > END_SECONDS, "orders are tracked to their end"


def test_commands_and_their_options_exist(compose: dict[str, Any]) -> None:
    commands = [service.get("command", ["session", "--every-day"]) for service in ours(compose).values()]
    for words in commands:
        command, left = typer.main.get_command(app), list(words)
        while hasattr(command, "commands") and left and left[0] in command.commands:
            command = command.commands[left.pop(0)]
        assert not hasattr(command, "commands"), words
        command.make_context(words[0], left)  # parses them, and calls nothing


def test_variables_are_those_of_the_program(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, service in compose["services"].items():
        variables = service.get("environment", {})
        if name == "db":
            assert {*variables} == POSTGRES
            assert variables["POSTGRES_PASSWORD_FILE"].removeprefix("/run/secrets/") in service["secrets"]
            continue
        rules = {key: one for key, one in variables.items() if key.startswith("REBALANCER__")}
        assert {*variables} - {*rules} <= PLAIN, name
        found = load_rules([], rules).rules.journal.url
        assert (found is None) == (not rules), name
        assert found is None or problem_of(found) is None, name


def test_two_hosts_one_database() -> None:
    services = filled(yaml.safe_load((ROOT / "compose.desk.yaml").read_text()))["services"]
    hosts = [services["host-a"], services["host-b"]]
    assert [host["command"] for host in hosts] == [["session", "--every-day", "--standby"]] * 2
    assert [host["depends_on"] for host in hosts] == [{"db": {"condition": "service_healthy"}}] * 2
    assert hosts[0]["networks"] == hosts[1]["networks"] == services["db"]["networks"]
    states = [mount for host in hosts for mount in host["volumes"] if mount.endswith(":/data")]
    assert len({*states}) == 2, "a folder of state belongs to one host"
    assert len({host["hostname"] for host in hosts}) == 2
    assert os.fspath(services["db"]["healthcheck"]["test"][1]).startswith("pg_isready ")
