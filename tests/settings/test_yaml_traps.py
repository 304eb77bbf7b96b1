"""A table of what YAML does to the unwary: each trap is either read rightly or refused in one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.settings.convert import Leaf, read_node
from rebalancer.settings.document import DEPTH_MAX, NODES_MAX, SIZE_MAX, parse
from rebalancer.settings.kinds import Kind
from rebalancer.settings.origin import Origin, Problem
from tests.settings.writing import load, refusal

TICKERS = [
    "ON",
    "NO",
    "OFF",
    "TRUE",
    "FALSE",
    "YES",
    "Y",
    "N",
    "NAN",
    "NULL",
    "E",
    "INF",
    "1E5",
    "007",
    "0x1F",
    "1_000",
]
TICKERS += ["15:55", "2026-11-20", "on", "y", "true", ".5"]

REFUSED = {
    # what stands in the file: the start of the message
    "execution: {enabled: yes}": "c.yaml:1: execution.enabled: 'yes' is neither true nor false",
    "execution: {enabled: on}": "c.yaml:1: execution.enabled: 'on' is neither true nor false",
    "execution: {enabled: 1}": "c.yaml:1: execution.enabled: '1' is neither true nor false",
    'execution: {enabled: "true"}': "c.yaml:1: execution.enabled: 'true' is a text in quotes, not a boolean",
    "execution:\n  interval_minutes: 15:55": "c.yaml:2: execution.interval_minutes: '15:55' is not a number",
    "execution: {interval_minutes: 010}": "c.yaml:1: execution.interval_minutes: '010' is not a number",
    "execution: {interval_minutes: 0x10}": "c.yaml:1: execution.interval_minutes: '0x10' is not a number",
    "execution: {interval_minutes: 0o10}": "c.yaml:1: execution.interval_minutes: '0o10' is not a number",
    "execution: {interval_minutes: 1_0}": "c.yaml:1: execution.interval_minutes: '1_0' is not a number",
    "execution: {interval_minutes: 5.0}": "c.yaml:1: execution.interval_minutes: '5.0' is not a whole number",
    'execution: {interval_minutes: "5"}': "c.yaml:1: execution.interval_minutes: '5' is a text in quotes",
    f"execution: {{interval_minutes: {'9' * 5000}}}": "c.yaml:1: execution.interval_minutes: '99999",
    "execution:\n  signal_threshold: 0,1": "c.yaml:2: execution.signal_threshold: '0,1' is not a number",
    "execution: {signal_threshold: 0,1}": "c.yaml:1: execution.1: unknown key '1'",
    "execution: {signal_threshold: 10%}": "c.yaml:1: execution.signal_threshold: '10%' is not a number",
    "execution: {signal_threshold: .nan}": "c.yaml:1: execution.signal_threshold: '.nan' is not a number",
    "execution: {signal_threshold: NaN}": "c.yaml:1: execution.signal_threshold: 'NaN' is not a number",
    "execution: {signal_threshold: -.inf}": "c.yaml:1: execution.signal_threshold: '-.inf' is not a number",
    "execution: {signal_threshold: 1e400}": "c.yaml:1: execution.signal_threshold: '1e400' is too large",
    "execution: {signal_threshold: ٠.1}": "c.yaml:1: execution.signal_threshold: '٠.1' is not a number",
    "execution: {signal_threshold: 10}": "c.yaml:1: execution.signal_threshold: 10.0 must be at most 1",
    "execution: {signal_threshold: [0.1]}": "c.yaml:1: execution.signal_threshold: must be one value",
    "execution: {signal_threshold:}": "c.yaml:1: execution.signal_threshold: has no value",
    "execution: {signal_threshold: null}": "c.yaml:1: execution.signal_threshold: 'null' is not a number",
    "position_sizing: {max_trade_size: 10'000}": 'c.yaml:1: position_sizing.max_trade_size: "10\'000" is not a number',
    "position_sizing: {max_trade_size: 1e-9}": "c.yaml:1: position_sizing.max_trade_size: '1e-9' has more than 6",
    "position_sizing: {max_trade_size: $100}": "c.yaml:1: position_sizing.max_trade_size: '$100' is not a number",
    "signals: {path: null}": "c.yaml:1: signals.path: must not be null",
    "signals: {path: ''}": "c.yaml:1: signals.path: must not be empty",
    "execution: {mode: paper, mode: live}": "c.yaml:1: execution.mode: appears twice, first in line 1",
    "execution: {}\nquotes: {}\nexecution: {}": "c.yaml:3: execution: appears twice, first in line 1",
    "risk_management:\n  sector_limits:\n    ON: 0.1\n    'ON': 0.2": "c.yaml:4: risk_management.sector_limits.ON",
    "x-note: {a: 1, a: 2}": "c.yaml:1: x-note.a: appears twice, first in line 1",
    "a: &x {b: 1}": "c.yaml:1: anchors (&name) are not allowed",
    "execution: *x": "c.yaml:1: aliases (*name) are not allowed",
    "execution: {<<: {mode: paper}}": "c.yaml:1: execution: merge keys (<<) are not allowed",
    "execution: !!python/object/apply:os.system ['true']": "c.yaml:1: the tag 'tag:yaml.org,2002:python/object/apply",
    "execution: {enabled: !!bool yes}": "c.yaml:1: the tag 'tag:yaml.org,2002:bool' is not allowed",
    "execution: ! {mode: paper}": "c.yaml:1: the tag '!' is not allowed",
    "execution:\n\tmode: paper": "c.yaml:2: is not YAML",
    "execution: {mode: paper}\n---\nexecution: {}": "c.yaml:2: holds more than one document",
    "execution: {mode: paper": "c.yaml:1: is not YAML",
    "execution: {? [mode]: paper}": "c.yaml:1: execution: a key must be one word",
    "execution: {'': paper}": "c.yaml:1: execution: a key must be one word",
    "execution:\n  # all commented out\n": "c.yaml:1: execution: has no keys",
    "execution: paper": "c.yaml:1: execution: must be a table",
    "- execution": "c.yaml:1: is not a table of sections",
    "execution": "c.yaml:1: is not a table of sections",
    "a\x00b": "c.yaml:1: holds a NUL byte",
    "a\x01b": "c.yaml:1: is not YAML",
    "x-a: " + "[" * (DEPTH_MAX + 1): "c.yaml:1: is nested deeper than 12 levels",
    "x-a: [" + "1," * NODES_MAX + "]": "c.yaml:1: has more than 20000 values",
    "": "c.yaml:1: is empty",
    "# nothing\n": "c.yaml:1: is empty",
    "---\n...\n": "c.yaml:2: is not a table of sections",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda t: repr(t[:40]))
def test_trap_is_refused(text: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text).startswith(REFUSED[text])


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("execution: {signal_threshold: 1e-3}", "signal_threshold", 0.001),
        ("execution: {signal_threshold: .5}", "signal_threshold", 0.5),
        ("execution: {signal_threshold: 1}", "signal_threshold", 1.0),
        ("execution: {enabled: False}", "enabled", False),
        ("execution: {enabled: TRUE}", "enabled", True),
        ("﻿execution: {enabled: false}", "enabled", False),
        ("execution:\r\n  enabled: false\r\n", "enabled", False),
        ("---\nexecution: {mode: 'paper'}\n...\n", "mode", "paper"),
        ("execution: {interval_minutes: +15}", "interval_minutes", 15),
    ],
)
def test_value_is_read_as_written(text: str, key: str, value: object, tmp_path: Path) -> None:
    found = getattr(load(tmp_path, text).rules.execution, key)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("ticker", TICKERS)
def test_ticker_survives_as_a_key(ticker: str, tmp_path: Path) -> None:
    block = load(tmp_path, f"risk_management:\n  sector_limits:\n    {ticker}: 0.1\n").rules
    quoted = load(tmp_path, f'risk_management: {{sector_limits: {{"{ticker}": 0.1}}}}').rules
    weights = load(tmp_path, f"signals:\n  source_weights:\n    {ticker}: 2\n").rules
    assert block.risk_management.sector_limits == quoted.risk_management.sector_limits == {ticker: 0.1}
    assert weights.signals.source_weights == {ticker: 2.0}


def test_tickers_survive_in_a_list_of_texts() -> None:
    problems: list[Problem] = []
    node = parse(f"[{', '.join(TICKERS)}]", Origin("file", "c.yaml", 1), problems)
    assert node is not None
    leaf = read_node(node, Kind("list", item=Kind("text")), "universe", problems)
    assert isinstance(leaf, Leaf)
    assert (leaf.value, problems) == (TICKERS, [])


@pytest.mark.parametrize("ticker", TICKERS)
def test_ticker_survives_as_a_text(ticker: str, tmp_path: Path) -> None:
    assert load(tmp_path, f"signals:\n  path: {ticker}\n").rules.signals.path == ticker


def test_account_number_stays_a_text(tmp_path: Path) -> None:
    assert load(tmp_path, "broker: {account_id: 00123}").rules.broker.account_id == "00123"
    assert load(tmp_path, "broker: {account_id: null}").rules.broker.account_id is None
    assert load(tmp_path, 'broker: {account_id: "null"}').rules.broker.account_id == "null"


def test_money_is_exact(tmp_path: Path) -> None:
    rules = load(tmp_path, "position_sizing: {max_trade_size: 1e4, min_trade_size: 99.99}").rules.position_sizing
    assert (str(rules.max_trade_size), str(rules.min_trade_size)) == ("10000", "99.99")


def test_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    bomb = "x-a: &a [1, 1]\n" + "".join(f"x-{i}: &b{i} [*a, *a]\n" for i in range(50))
    assert refusal(tmp_path, bomb).startswith("c.yaml:1: anchors")


def test_size_limit(tmp_path: Path) -> None:
    fits = "execution: {}\n" + "#" * (SIZE_MAX - 14)
    assert load(tmp_path, fits).rules
    assert refusal(tmp_path, fits + "#").startswith(f"c.yaml:1: is larger than {SIZE_MAX} bytes")


@pytest.mark.parametrize("content", [b"\xff\xfee\x00x\x00", b"execution: {mode: \xe9}"])
def test_only_utf8(content: bytes, tmp_path: Path) -> None:
    assert "is not UTF-8" in refusal(tmp_path, content)


@pytest.mark.parametrize(
    "text",
    [
        "broker: {account_id: PKABCDEFGH1234567890}",
        "x-note: AKABCDEFGH1234567890",
        "signals: {path: aB3dEfGhIjKlMnOpQrStUvWxYz0123456789AbCd}",
        "signals: {source_weights: {aB3dEfGhIjKlMnOpQrStUvWxYz0123456789AbCd: oops}}",
        "execution: {signal_threshold: PKABCDEFGH1234567890}",
    ],
)
def test_secret_is_refused_and_never_repeated(text: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, text)
    assert "holds what looks like a secret" in message
    assert "ABCDEFGH" not in message
    assert "aB3d" not in message


def test_secret_key_is_refused_without_its_value(tmp_path: Path) -> None:
    assert refusal(tmp_path, "broker:\n  api_key: hunter2\n") == (
        "c.yaml:2: broker.api_key: unknown key, secrets must not be in the configuration\n"
        "  hint: set APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environment"
    )
