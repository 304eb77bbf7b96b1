"""No spelling of a secret passes the redactor, wherever it stands."""

import base64
import json
import logging
import warnings
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.ops.logs import redact as module
from rebalancer.ops.logs.redact import HIDDEN, RedactingFilter, Redactor, secrets_among

SECRETS = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40)


@given(SECRETS, st.text(max_size=12), st.text(max_size=12))
def test_every_spelling_of_a_secret_is_hidden(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.learn([secret])
    for spelled in (secret, quote(secret), quote_plus(secret), repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert HIDDEN in redactor.redact(f"{before}\x00{spelled}\x00{after}")
        assert redactor.redact(spelled) == HIDDEN


@given(SECRETS, st.text("abcdef", max_size=9), st.text("abcdef", max_size=9))
def test_a_secret_inside_base64_is_hidden(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.learn([secret])
    basic = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    assert HIDDEN in redactor.redact(f"Authorization: Basic {basic}")


def test_short_values_hide_nothing_and_an_account_keeps_its_last_four() -> None:
    redactor = Redactor()
    redactor.learn(["", "short"])
    redactor.learn_account("PA3XYZ98765")
    assert redactor.redact("a short line about PA3XYZ98765") == "a short line about ••••8765"


def test_the_longer_of_two_secrets_leaves_no_rest() -> None:
    redactor = Redactor()
    redactor.learn(["canary-one", "canary-one-and-more"])
    assert redactor.redact("<canary-one-and-more> <canary-one>") == f"<{HIDDEN}> <{HIDDEN}>"


def test_the_private_parts_of_an_alert_address_are_secrets_and_its_plain_words_are_not() -> None:
    redactor = Redactor()
    address = "https://watcher:pa55%20word@hooks.example.com/services/T0KEN12345?key=canary-query"
    redactor.learn(secrets_among({"REBALANCER_ALERT_WEBHOOK": address, "HOME": "/home/somebody"}))
    line = "pa55%20word, pa55 word, T0KEN12345, canary-query"
    assert redactor.redact(line) == ", ".join([HIDDEN] * 4)
    assert redactor.redact(address) == HIDDEN
    assert redactor.redact("services of hooks.example.com at /home/somebody") == (
        "services of hooks.example.com at /home/somebody"
    )


@pytest.mark.parametrize("name", ["A_SECRET", "A_KEY", "APCA_API_KEY_ID", "a_token", "DB_PASSWORD"])
def test_a_variable_named_like_a_secret_is_one(name: str) -> None:
    assert list(secrets_among({name: "canary-value", "PATH": "/usr/bin"})) == ["canary-value"]


def test_a_record_loses_its_secrets_with_arguments_and_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KNOWN", Redactor())
    module.learn(["canary-value"])
    try:
        raise ValueError("refused: canary-value")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
        record = logging.LogRecord("rebalancer", logging.ERROR, __file__, 1, "sent %s", ("canary-value",), info)
    assert RedactingFilter().filter(record)
    text = logging.Formatter().format(record)
    assert text.startswith(f"sent {HIDDEN}\nTraceback")
    assert text.endswith(f"ValueError: refused: {HIDDEN}")


def test_warnings_of_libraries_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KNOWN", Redactor())
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler())
    module.learn(["canary-value"])
    module.redact_stderr()
    said = warnings.formatwarning(UserWarning("with canary-value"), UserWarning, "lib.py", 7)
    assert said == f"lib.py:7: UserWarning: with {HIDDEN}\n"
    assert logging.lastResort is not None
    assert [type(one) for one in logging.lastResort.filters] == [RedactingFilter]
