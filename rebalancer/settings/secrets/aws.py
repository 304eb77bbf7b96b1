"""Secrets from AWS Secrets Manager: one JSON object of names, fetched once, on first use.

REBALANCER_AWS_SECRET is its name or ARN; region and credentials come from the environment, as for every AWS program.
Not tested against AWS itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.extras import install_hint
from rebalancer.settings.secrets.secret import SECRET_NAMES

VARIABLE: Final = "REBALANCER_AWS_SECRET"
CONNECT_SECONDS: Final = 3
READ_SECONDS: Final = 5


def read_aws(secret_id: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets in one entry. Raises BadDocument for what the user must fix, BrokerUnavailable without an answer.

    environ: AWS_ENDPOINT_URL_SECRETS_MANAGER overrides the endpoint; AWS_REGION or AWS_DEFAULT_REGION set the region.
    """
    try:
        import boto3  # type: ignore[import-untyped]  # boto3 ships no types
        import botocore.exceptions as problems  # type: ignore[import-untyped]  # boto3 ships no types
        from botocore.config import Config  # type: ignore[import-untyped]  # boto3 ships no types
    except ImportError:
        raise BadDocument(VARIABLE, "needs boto3, which is not installed", install_hint("aws")) from None
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    try:
        client = boto3.client(
            "secretsmanager",
            region_name=region,
            endpoint_url=environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            config=Config(
                connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 2}
            ),
        )
        answer = client.get_secret_value(SecretId=secret_id)
    except problems.ClientError as error:
        raise _refused(secret_id, str(error.response.get("Error", {}).get("Code", ""))) from None
    except (problems.NoRegionError, problems.NoCredentialsError, problems.PartialCredentialsError) as error:
        hint = "set AWS_REGION and give this machine a role or a login"
        raise BadDocument(VARIABLE, f"AWS cannot be queried: {error}", hint) from None
    except problems.BotoCoreError as error:
        raise BrokerUnavailable(f"AWS Secrets Manager did not answer ({type(error).__name__})") from None
    return _secrets_of(answer, secret_id)


def _refused(secret_id: str, code: str) -> BadDocument:
    place = f"{VARIABLE}={secret_id}"
    if code == "ResourceNotFoundException":
        return BadDocument(place, "there is no such secret in this region", "check the name and AWS_REGION")
    if code in ("AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException"):
        return BadDocument(place, f"AWS denied access ({code})", "allow secretsmanager:GetSecretValue on it")
    return BadDocument(place, f"AWS refused ({code or 'no code'})", "look at it in the AWS console")


def _secrets_of(answer: Mapping[str, Any], secret_id: str) -> dict[str, str]:
    place, hint = f"{VARIABLE}={secret_id}", f'store an object of texts, such as {{"{SECRET_NAMES[0]}": "..."}}'
    try:
        body = json.loads(answer.get("SecretString") or "")
    except ValueError:
        raise BadDocument(place, "is not JSON", hint) from None
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        raise BadDocument(place, "is not a JSON object of texts", hint)
    if not any(name in body for name in SECRET_NAMES):
        raise BadDocument(place, "holds none of this program's secrets", hint)
    return {name: body[name] for name in SECRET_NAMES if body.get(name)}
