"""Rules of faults: reading them, what a mistake says, and when a rule fires."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.exchange.faults.engine import Faults, chance
from rebalancer.exchange.faults.kinds import KINDS
from rebalancer.exchange.faults.refusals import REFUSALS
from rebalancer.exchange.faults.rules import Rule, read_faults_file
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import start_exchange


def test_chances_depend_on_seed_rule_and_number_only() -> None:
    def pattern(seed: int, name: str, others: int) -> list[bool]:
        engine = Faults()
        extra = [Rule(f"other-{n}", "rate_limit", probability=0.5) for n in range(others)]
        engine.put([*extra, Rule(name, "lost_after", "POST", "/v2/orders", probability=0.3)], seed)
        return [any(one.name == name for one in engine.on_request("POST", "/v2/orders")) for _ in range(200)]

    first = pattern(1, "a", 0)
    assert first == pattern(1, "a", 3)
    assert first != pattern(2, "a", 0)
    assert first != pattern(1, "b", 0)
    assert 30 < sum(first) < 90
    assert first == [chance(1, "a", number) < 0.3 for number in range(200)]


def test_every_kind_parameter_and_reason_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "point-your-own-client.md").read_text()
    for name, kind in KINDS.items():
        (line,) = [row for row in page.splitlines() if row.startswith(f"| `{name}` |")]
        assert [one for one in kind.parameters if f"`{one}`" not in line] == []
        assert kind.meaning in line
        assert not kind.on or f"`{kind.on}`" in line
    assert [reason for reason in REFUSALS if f"`{reason}`" not in page] == []


def test_the_rules_of_the_page_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "point-your-own-client.md").read_text()
    (tmp_path / "f.yaml").write_text("seed:" + page.split("```yaml\nseed:")[1].split("```")[0])
    assert [one.kind for one in read_faults_file(tmp_path / "f.yaml").rules] == [
        "lost_after", "rate_limit", "positions_lag", "partial_fill", "stream_drop",
    ]  # fmt: skip


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(
        "seed: 3\nrules:\n  - kind: lost_after\n    probability: 0.25\n  - {name: burst, kind: rate_limit, times: 5}\n"
    )
    file = read_faults_file(path)
    assert file.seed == 3
    assert [(one.name, one.kind, one.method, one.path, one.probability, one.times) for one in file.rules] == [
        ("lost_after-0", "lost_after", "POST", "/v2/orders", 0.25, None),
        ("burst", "rate_limit", "*", "/v2/*", 1.0, 5),
    ]
    with start_exchange(ExchangeOptions(faults=path)) as server:
        assert [one["name"] for one in server.exchange.faults.state()] == ["lost_after-0", "burst"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"f\.yaml:1: document: 'None' is not an object"),
        ("rules: 3", r"f\.yaml:1: rules: is not a list"),
        ("seed: -1\nrules: []", r"f\.yaml:1: seed: -1 is not a whole number"),
        ("rules:\n- kind: explode", r"f\.yaml:2: rules\[0\]\.kind: 'explode' is not a kind of fault"),
        ("rules:\n- kind: hang\n  second: 3", r"f\.yaml:3: rules\[0\]\.second: is not known here"),
        ("rules:\n- kind: hang\n  seconds: -3", r"f\.yaml:3: rules\[0\]\.seconds: -3 is not a number"),
        ("rules:\n- kind: hang\n  probability: 1.5", r"f\.yaml:3: .*1\.5 is not a number up to 1"),
        ("rules:\n- kind: hang\n  times: yes", r"f\.yaml:3: rules\[0\]\.times: True is not a whole number"),
        (
            "rules:\n- kind: hang\n  request: orders",
            r"f\.yaml:3: rules\[0\]\.request: 'orders' is not a method and a path",
        ),
        ("rules:\n- kind: refuse\n  reason: mood", r"f\.yaml:3: rules\[0\]\.reason: 'mood' is not a known refusal"),
        ("rules:\n- kind: set_field\n  field: x", r"f\.yaml:2: rules\[0\]\.value: is missing"),
        ("rules:\n- kind: http_error\n  status: 404", r"f\.yaml:3: rules\[0\]\.status: 404 is not a 5xx"),
        ("rules:\n- kind: late\n  answer: maybe", r"f\.yaml:3: rules\[0\]\.answer: 'maybe'"),
        ("rules:\n- kind: drip\n  bytes_per_second: 0", r"f\.yaml:3: .*is not more than 0"),
        ("rules:\n- kind: account_flags\n  set: {mood: bad}", r"f\.yaml:3: rules\[0\]\.set\.mood: is not known"),
        ("rules:\n- kind: hang\n  kind: drip", r"f\.yaml:3: kind: appears twice"),
        ("rules:\n- {kind: hang, name: a}\n- {kind: drip, name: a}", r"two rules are named a"),
        ("rules: [", r"f\.yaml:\d: is not YAML"),
        ("rules:\n- kind: cancel_race\n  symbols: AAPL", r"f\.yaml:3: rules\[0\]\.symbols: 'AAPL' is not a list"),
    ],
)
def test_mistakes_name_file_line_and_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(BadDocument, match=words):
        read_faults_file(path)
    with pytest.raises(ValueError, match=words):
        start_exchange(ExchangeOptions(faults=path))


def test_every_kind_of_fault_has_a_test() -> None:
    here = Path(__file__).parent
    text = "".join((here / f"test_exchange_{name}.py").read_text() for name in ("faults", "stream_faults", "stuck"))
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []


# --- the file --------------------------------------------------------------------------------------------------------
