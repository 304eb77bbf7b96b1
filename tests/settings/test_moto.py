"""Secrets from moto's Secrets Manager, asked through the real boto3 as AWS itself would be."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.settings.secrets import surroundings

boto3 = pytest.importorskip("boto3")
server = pytest.importorskip("moto.server", reason="needs flask")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    environ = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "x"}
    for name, value in {**environ, "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    yield {**environ, "AWS_REGION": "us-east-1"}
    running.stop()


def test_a_stored_secret_is_read_and_what_is_missing_is_told(aws: dict[str, str]) -> None:
    client = boto3.client("secretsmanager", region_name="us-east-1")
    arn = client.create_secret(Name="ours", SecretString=json.dumps({"APCA_API_KEY_ID": "from-moto"}))["ARN"]
    client.create_secret(Name="binary", SecretBinary=b"canary")
    for name in ("ours", arn):
        assert surroundings({**aws, "REBALANCER_AWS_SECRET": name}, "")["APCA_API_KEY_ID"] == "from-moto"
    for name, problem in {"none": "no such secret", "binary": "is not JSON"}.items():
        with pytest.raises(BadDocument, match=problem) as refused:
            surroundings({**aws, "REBALANCER_AWS_SECRET": name}, "").get("APCA_API_KEY_ID")
        assert "canary" not in str(refused.value)
    client.delete_secret(SecretId="ours")
    with pytest.raises(BadDocument, match=r"AWS refused \(InvalidRequestException\)"):
        surroundings({**aws, "REBALANCER_AWS_SECRET": "ours"}, "").get("APCA_API_KEY_ID")
