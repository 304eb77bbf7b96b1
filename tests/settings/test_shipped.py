"""What is shipped in `config/`: complete, current, and the defaults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rebalancer.core.codec import rules_text
from rebalancer.core.rules import Rules
from rebalancer.settings.kinds import every_key
from rebalancer.settings.load import load_rules
from rebalancer.settings.show import schema_text, show_json, show_text
from tests.settings.writing import load

PROJECT = Path(__file__).parents[2]
SHIPPED = PROJECT / "config" / "execution.yaml"

CONTRACT = """\
execution:        {enabled: true, mode: paper, signal_threshold: 0.1, max_orders_per_execution: 10, interval_minutes: 5}
position_sizing:  {capital_scaling: 2.0, base_position_size: 0.10, max_position_size: 0.15, max_total_exposure: 0.8,
                   min_trade_size: 100.0, max_trade_size: 10000.0, max_order_value: 15000.0}
risk_management:  {max_daily_loss: 0.02, max_drawdown: 0.10, max_position_risk: 0.05, max_trade_heat: 0.02, max_sector_exposure: 0.3,
                   max_correlation_exposure: 0.4, max_orders_per_day: 100, max_orders_per_symbol_per_day: 10}
model:            {enabled: false, model_path: "", features_path: "", fallback_to_external_signals: true}
"""  # noqa: E501 - word for word as it was agreed


def test_shipped_file_holds_exactly_the_defaults() -> None:
    loaded = load_rules([SHIPPED], {})
    assert loaded.rules == Rules()
    assert rules_text(loaded.rules) == rules_text(Rules())
    assert loaded.warnings == ()


def test_shipped_file_has_every_key_with_a_comment() -> None:
    loaded = load_rules([SHIPPED], {})
    empty_mappings = {
        "risk_management.sector_limits",
        "selection.at_most",
        "signals.mappings",
        "signals.source_weights",
        "signals.sources",
    }
    assert {key for key, origin in loaded.origins.items() if origin.kind == "default"} == empty_mappings
    lines = SHIPPED.read_text().splitlines()
    commented = [re.fullmatch(r" *([a-z_]+):.* # (.+)", line) for line in lines]
    keys = {key.rpartition(".")[2] for key, _ in every_key()}
    assert keys <= {match[1] for match in commented if match}
    assert lines[0] == "# yaml-language-server: $schema=execution.schema.json"


def test_contract_file_loads_unchanged_to_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, CONTRACT)
    assert rules_text(loaded.rules) == rules_text(Rules())
    assert loaded.origins["risk_management.max_sector_exposure"].line == 4


def test_contract_keys_come_first_in_their_sections() -> None:
    lines = [line.strip() for line in SHIPPED.read_text().splitlines() if not line.startswith("#")]
    written = [line.split(":")[0] for line in lines if line]
    for section, body in re.findall(r"(\w+):\s+\{([^}]*)\}", CONTRACT):
        wanted = list(re.findall(r"(\w+):", body))
        start = written.index(section) + 1
        assert written[start : start + len(wanted)] == wanted


def test_schema_file_is_current() -> None:
    assert (PROJECT / "config" / "execution.schema.json").read_text(encoding="utf-8") == schema_text()


def test_schema_knows_every_key_and_allows_notes() -> None:
    schema = json.loads(schema_text())
    found = set()

    def walk(node: dict[str, object], parent: str) -> None:
        assert node["additionalProperties"] is False
        assert node["patternProperties"] == {"^x-": {"description": "a note; ignored"}}
        for name, field in node["properties"].items():  # type: ignore[attr-defined]  # JSON is not typed
            dotted = f"{parent}.{name}".lstrip(".")
            reference = field.get("$ref")
            if reference:
                walk(schema["$defs"][reference.rpartition("/")[2]], dotted)
            else:
                found.add(dotted)

    walk(schema, "")
    assert found == {key for key, _ in every_key()}
    assert (schema["$schema"], schema["title"]) == (
        "https://json-schema.org/draft/2020-12/schema",
        "rebalancer: config/execution.yaml",
    )


NASTY = """\
signals: {path: "a \\u0085 # \\\\ \\" b", source_weights: {"ON": 1, "x y": 2, "null": 3, "\\U0001F600": 4}}
broker: {account_id: "null"}
reporting: {directory: "007"}
execution: {signal_threshold: 1e-5}
position_sizing: {max_order_value: 12345.678, no_trade_band: {to: edge}}
"""


@pytest.mark.parametrize("origin", [True, False])
@pytest.mark.parametrize("text", [CONTRACT, NASTY])
def test_what_show_prints_loads_to_the_same_rules(text: str, origin: bool, tmp_path: Path) -> None:
    loaded = load(tmp_path, text)
    again = load(tmp_path, show_text(loaded, origin=origin))
    assert rules_text(again.rules) == rules_text(loaded.rules)


def test_show_tells_every_origin(tmp_path: Path) -> None:
    loaded = load(tmp_path, "execution: {mode: paper}", {"REBALANCER__EXECUTION__INTERVAL_MINUTES": "15"})
    shown = show_text(loaded, origin=True).replace(f"{tmp_path}/", "").splitlines()
    assert [re.sub(" {2,}#", "  #", line) for line in shown[:6]] == [
        "execution:",
        "  enabled: true  # default",
        "  mode: paper  # c.yaml:1",
        "  signal_threshold: 0.1  # default",
        "  max_orders_per_execution: 10  # default",
        "  interval_minutes: 15  # REBALANCER__EXECUTION__INTERVAL_MINUTES",
    ]
    assert "#" not in show_text(loaded, origin=False)


def test_show_json(tmp_path: Path) -> None:
    loaded = load(tmp_path, "risk_management: {sector_limits: {ON: 0.1}}")
    document = json.loads(show_json(loaded))
    assert list(document) == ["schema", "rules_sha256", "rules", "origins", "warnings"]
    assert document["schema"] == "rebalancer.config/1"
    assert Rules.model_validate(document["rules"]) == loaded.rules
    assert document["origins"]["risk_management.sector_limits.ON"] == {
        "kind": "file",
        "name": str(tmp_path / "c.yaml"),
        "line": 1,
    }
