"""The sources in the configuration: known values, names, addresses, variables; and that a stored plan keeps its own."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.codec import read_rules, rules_text
from rebalancer.core.known_sources import KNOWN_SOURCES
from rebalancer.core.rules import Rules
from rebalancer.settings.show import show_text
from tests.settings.writing import load, refusal


def test_nothing_is_enabled_and_nothing_is_written(tmp_path: Path) -> None:
    assert Rules().signals.enabled_sources == {}
    assert "sources" not in rules_text(Rules())
    assert load(tmp_path, "signals: {sources: {xai: {}}}").rules.signals.enabled_sources == {}


def test_a_known_source_begins_with_its_own_values(tmp_path: Path) -> None:
    text = "signals: {sources: {alphavantage: {enabled: true}, xai: {enabled: true, usd_per_day: 2, weight: 3}}}"
    signals = load(tmp_path, text).rules.signals
    assert list(signals.sources) == ["alpha_vantage", "xai"]
    plain, changed = signals.sources["alpha_vantage"], signals.sources["xai"]
    assert (plain.weight, plain.calls_per_day, plain.ttl_seconds) == (0.25, 25, 43_200)
    assert (changed.weight, changed.usd_per_day, changed.timeout_seconds) == (3, Decimal(2), 180)
    assert [one["weight"] for one in KNOWN_SOURCES.values()] == [0.40, 0.25, 0.40, 0.25, 0.20, 0.15, 0.40]
    assert (signals.weight_of("xai"), signals.weight_of("anybody")) == (3, 1)
    assert (signals.max_age_of("alpha_vantage"), signals.max_age_of("anybody")) == (1440, 60)


def test_a_weight_of_ones_own_wins_and_a_disabled_source_has_none(tmp_path: Path) -> None:
    signals = load(
        tmp_path, "signals: {source_weights: {xai: 7}, sources: {xai: {enabled: true}, massive: {}}}"
    ).rules.signals
    assert (signals.weight_of("xai"), signals.weight_of("massive"), signals.weights) == (7, 1, {"xai": 7})


def test_stored_rules_keep_the_values_they_were_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version may begin with others."""
    rules = load(tmp_path, "signals: {sources: {xai: {enabled: true}}}").rules
    text = rules_text(rules)
    monkeypatch.setattr("rebalancer.core.signal_rules.KNOWN_SOURCES", {"xai": {"weight": 0.9, "ttl_seconds": 5}})
    assert read_rules(text) == rules
    assert rules_text(read_rules(text)) == text


def test_what_is_shown_loads_again(tmp_path: Path) -> None:
    sources = "{perplexity: {enabled: true, options: {a: b}}, own_one: {weight: 2}}"
    text = f"signals: {{universe: [AAPL, 'ON'], sources: {sources}}}"
    loaded = load(tmp_path, text)
    assert load(tmp_path, show_text(loaded, origin=True)).rules == loaded.rules
    assert loaded.origins["signals.sources.perplexity.enabled"].line == 1


def test_variables_reach_every_level(tmp_path: Path) -> None:
    environ = {
        "REBALANCER__SIGNALS__SOURCES__XAI__ENABLED": "true",
        "REBALANCER__SIGNALS__SOURCES__XAI__BASE_URL": "http://127.0.0.1:9999/",
        "REBALANCER__SIGNALS__SOURCES__MASSIVE__OPTIONS__data": "news",
    }
    sources = load(tmp_path, "signals: {sources: {xai: {model: m}}}", environ).rules.signals.sources
    assert (sources["xai"].enabled, sources["xai"].base_url, sources["xai"].model) == (
        True,
        "http://127.0.0.1:9999",
        "m",
    )
    assert (sources["massive"].enabled, sources["massive"].options) == (False, {"data": "news"})
    said = refusal(tmp_path, "signals: {path: s}", {"REBALANCER__SIGNALS__SOURCES__XAI__WIEGHT": "1"})
    assert "REBALANCER__SIGNALS__SOURCES__XAI__WIEGHT" in said
    assert "did you mean 'weight'?" in said


@pytest.mark.parametrize(
    "url",
    [
        "http://api.x.ai", "ftp://127.0.0.1", "https://key@api.x.ai", "https://u:p@api.x.ai", "https://api.x.ai/?key=1",
        "https://", "api.x.ai", "http://127.0.0.1.evil.example", "http://[::1", "http://10.0.0.1", "https://api.x.ai#a",
    ],
)  # fmt: skip
def test_a_key_is_sent_over_tls_or_to_this_machine(url: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, f"signals: {{sources: {{xai: {{base_url: '{url}'}}}}}}")
    assert said.startswith("c.yaml:1: signals.sources.xai.base_url: base_url ")


@pytest.mark.parametrize(
    "url", ["https://api.polygon.io", "http://127.0.0.1:1", "http://localhost:8/v1", "http://[::1]:5"]
)
def test_addresses_that_are_taken(url: str, tmp_path: Path) -> None:
    assert (
        load(tmp_path, f"signals: {{sources: {{massive: {{base_url: '{url}'}}}}}}")
        .rules.signals.sources["massive"]
        .base_url
        == url
    )


def test_mistakes_have_their_line(tmp_path: Path) -> None:
    said = refusal(
        tmp_path, "signals:\n  sources:\n    xai:\n      enabled: true\n      ttl_seconds: 4\n      wieght: 1\n"
    )
    assert "c.yaml:6: signals.sources.xai.wieght: unknown key" in said
    assert "c.yaml:5: signals.sources.xai.ttl_seconds: 4.0 must be at least 5" in said
    assert "stands there twice" in refusal(tmp_path, "signals: {sources: {alpha_vantage: {}, alphavantage: {}}}")
    assert "secrets must not be in the configuration" in refusal(tmp_path, "signals: {sources: {xai: {api_key: abc}}}")
