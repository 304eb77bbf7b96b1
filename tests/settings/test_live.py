"""Live trading: every combination of switches, and a local server in the place of the live host. No order is sent."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.brokers import endpoints
from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import CredentialsRefused
from rebalancer.core.rules import Rules
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import start_exchange
from rebalancer.session.live import FILE_NAME, agree, arm, is_armed
from rebalancer.session.setup import Setup
from rebalancer.settings.live_trading import COMMAND_LINE, WORDS, CommandLine, Switches, missing, refuse_disagreement
from rebalancer.settings.load import LoadedRules

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
COMBINATIONS = [Switches(*on) for on in itertools.product((False, True), repeat=len(Switches._fields))]


@pytest.mark.parametrize("switches", COMBINATIONS)
def test_one_of_all_combinations_passes(switches: Switches) -> None:
    off = [name for name, on in switches._asdict().items() if not on]
    assert missing(switches) == tuple(WORDS[name] for name in off)
    if not off:
        assert switches == (True,) * 6
        refuse_disagreement(switches)
        return
    with pytest.raises(BadDocument) as refused:
        refuse_disagreement(switches)
    assert all((words in str(refused.value)) == (name in off) for name, words in WORDS.items())


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with start_exchange(ExchangeOptions(state=None)) as running:
        yield running.url


def setup_of(folder: Path, mode: str, account_id: str | None) -> Setup:
    rules = Rules.model_validate({"execution": {"mode": mode}, "broker": {"account_id": account_id}})
    environ = {"APCA_API_KEY_ID": "AKTEST", "APCA_API_SECRET_KEY": "secret"}
    return Setup(folder, LoadedRules(rules, {}, ()), mode, folder, environ)


def test_against_a_server_in_the_live_hosts_place(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = AlpacaBroker(Credentials("AKTEST", "secret"), Endpoints(url), Rules().broker)
    account_id = plain.account().id
    plain.close()
    monkeypatch.setattr(endpoints, "LIVE_HOSTS", frozenset({url.removeprefix("http://")}))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CredentialsRefused, match="live trading is not enabled"):
        AlpacaBroker(Credentials("AKTEST", "secret"), Endpoints(url), Rules().broker)
    paper = Endpoints("http://127.0.0.1:9")
    for mode, live, where, account, yes in itertools.product(
        ("paper", "live"), (False, True), (Endpoints(url), paper), (None, account_id, "other"), (False, True)
    ):
        reset = COMMAND_LINE.set(CommandLine(live, yes))
        try:
            if (mode, live, where) == ("paper", False, paper):
                assert agree(setup_of(tmp_path, mode, account), where) is where
            elif (mode, live, where.is_live, account, yes) == ("live", True, True, account_id, True):
                assert agree(setup_of(tmp_path, mode, account), where).is_agreed
            else:
                with pytest.raises(BadDocument, match="the switches do not agree; missing: "):
                    agree(setup_of(tmp_path, mode, account), where)
        finally:
            COMMAND_LINE.reset(reset)


def test_a_token_expires_and_is_of_one_account(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, "live", "account-1234")
    assert not is_armed(tmp_path, "account-1234", NOW)
    until = arm(setup, "1234", 2, NOW)
    inside = [NOW - timedelta(seconds=1), NOW, until - timedelta(seconds=1), until]
    assert [is_armed(tmp_path, "account-1234", at) for at in inside] == [False, True, True, False]
    assert not is_armed(tmp_path, "account-9999", NOW)
    for last4, hours, mode in (("9999", 2, "live"), ("1234", 0, "live"), ("1234", 169, "live"), ("1234", 2, "paper")):
        with pytest.raises(BadDocument):
            arm(setup_of(tmp_path, mode, "account-1234"), last4, hours, NOW)
    (tmp_path / FILE_NAME).chmod(0o644)
    with pytest.raises(BadDocument, match="others may read it"):
        is_armed(tmp_path, "account-1234", NOW)
