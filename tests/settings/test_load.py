"""Layers, origins, overrides and messages of the configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.codec import read_rules, rules_text
from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.settings.kinds import every_key, kind_of
from rebalancer.settings.load import load_rules
from rebalancer.settings.origin import BadConfiguration, Origin
from rebalancer.settings.show import show_text
from tests.settings.writing import load, refusal


def test_no_file_is_the_defaults_with_a_warning() -> None:
    loaded = load_rules([], {})
    assert loaded.rules == Rules()
    assert loaded.warnings == ("no configuration file: the built-in defaults are used",)
    assert set(loaded.origins) == {key for key, _ in every_key()}
    assert set(loaded.origins.values()) == {Origin("default")}


def test_later_layers_win_and_every_origin_is_kept(tmp_path: Path) -> None:
    low, high = tmp_path / "low.yaml", tmp_path / "high.yaml"
    low.write_text(
        "execution:\n  mode: paper\n  interval_minutes: 10\nrisk_management: {sector_limits: {ON: 0.1, B: 0.2}}\n"
    )
    high.write_text("# mine\nexecution:\n  interval_minutes: 15\nrisk_management:\n  sector_limits: {ON: 0.15}\n")
    loaded = load_rules([low, high], {"REBALANCER__QUOTES__MAX_SPREAD": "0.01", "REBALANCER_TRACEBACK": "1"})
    assert loaded.rules.execution.interval_minutes == 15
    assert loaded.rules.risk_management.sector_limits == {"ON": 0.15, "B": 0.2}
    assert loaded.rules.quotes.max_spread == 0.01
    assert {key: str(origin) for key, origin in loaded.origins.items() if origin.kind != "default"} == {
        "execution.mode": f"{low}:2",
        "execution.interval_minutes": f"{high}:3",
        "risk_management.sector_limits.ON": f"{high}:5",
        "risk_management.sector_limits.B": f"{low}:4",
        "quotes.max_spread": "REBALANCER__QUOTES__MAX_SPREAD",
    }
    assert loaded.warnings == ()


def test_notes_are_allowed_at_every_level_but_not_among_names(tmp_path: Path) -> None:
    notes = "x-top: [1, {a: 2}]\nexecution: {x-why: tuned}\nposition_sizing: {no_trade_band: {x-deep: yes}}\n"
    assert load(tmp_path, notes).rules == Rules()
    named = load(tmp_path, "signals: {source_weights: {x-feed: 0.5}}").rules
    assert named.signals.source_weights == {"x-feed": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "risk_management:\n  max_sector_expsure: 0.3\n",
            "c.yaml:2: risk_management.max_sector_expsure: unknown key\n  hint: did you mean 'max_sector_exposure'?",
        ),
        (
            "execution: {'mode ': paper}",
            "c.yaml:1: execution.mode : unknown key here\n"
            "  hint: it belongs to another section: execution.mode; or did you mean 'mode'?",
        ),
        ("Execution: {}", "c.yaml:1: Execution: unknown key\n  hint: did you mean 'execution'?"),
        (
            "execution: {max_drawdown: 0.1}",
            "c.yaml:1: execution.max_drawdown: unknown key here\n"
            "  hint: it belongs to another section: risk_management.max_drawdown",
        ),
        (
            "max_drawdwn: 0.1",
            "c.yaml:1: max_drawdwn: unknown key\n  hint: did you mean 'risk_management.max_drawdown'?",
        ),
        (
            "position_sizing: {no_trade_band: {zzz: 1}}",
            "c.yaml:1: position_sizing.no_trade_band.zzz: unknown key\n"
            "  hint: known here: absolute, relative, to, width, risk_aversion; notes begin with 'x-'",
        ),
        (
            "execution:\n  mode: pper\n",
            "c.yaml:2: execution.mode: 'pper' must be 'paper' or 'live'\n  hint: did you mean 'paper'?",
        ),
        (
            "risk_management: {max_daily_loss: 2}",
            "c.yaml:1: risk_management.max_daily_loss: 2.0 must be at most 1.0\n"
            "  hint: fractions, not percent: 2 % is 0.02 (fraction of yesterday's equity; beyond: reductions only)",
        ),
        (
            "risk_management: {sector_limits: {ON: 0}}",
            "c.yaml:1: risk_management.sector_limits.ON: 0.0 must be above 0.0\n  hint: own limit per sector, by name",
        ),
        (
            "position_sizing:\n  base_position_size: 0.1\n  min_trade_size: 20000\n",
            "c.yaml:3: position_sizing: min_trade_size must not be above max_trade_size or max_order_value",
        ),
        (
            "execution:\n  signal_threshold: 0.1\n  exit_threshold: 0.2\n",
            "c.yaml:2: execution: exit_threshold must not be above signal_threshold",
        ),
        (
            "signals: {sources: {model: {enabled: true}}}",
            "c.yaml:1: signals.sources.model.enabled: the model is enabled by model.enabled"
            "\n  hint: write model: {enabled: true}",
        ),
        (
            "execution: {signal_threshold: 0,5}",
            "c.yaml:1: execution.5: unknown key '5'\n  hint: a decimal comma before it? "
            "Write decimals with a point: 0.5",
        ),
    ],
)
def test_message(text: str, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == message


def test_every_mistake_is_listed_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(
        "quotes:\n  max_spred: 1\n  max_age_seconds: soon\nexecution: {interval_minutes: 0, enabled: no}\n"
    )
    second.write_text("broker: {kind: alpacca}\nquotes: {max_spread: 0.1, max_spread: 0.2}\n")
    with pytest.raises(BadConfiguration) as caught:
        load_rules([first, second, tmp_path / "gone.yaml"], {"REBALANCER__EXECUTION__MODE": "", "REBALANCER__NO": "1"})
    lines = [line for line in str(caught.value).replace(f"{tmp_path}/", "").splitlines() if not line.startswith("  ")]
    assert lines == [
        "a.yaml:2: quotes.max_spred: unknown key",
        "a.yaml:3: quotes.max_age_seconds: 'soon' is not a number",
        "a.yaml:4: execution.enabled: 'no' is neither true nor false",
        "a.yaml:4: execution.interval_minutes: 0 must be at least 1",
        "b.yaml:1: broker.kind: 'alpacca' must be 'auto', 'embedded' or 'alpaca'",
        "b.yaml:2: quotes.max_spread: appears twice, first in line 2",
        "gone.yaml:1: cannot be read: No such file or directory",
        "REBALANCER__EXECUTION__MODE: execution.mode: is set but empty",
        "REBALANCER__NO: no: unknown key",
    ]
    assert (caught.value.where, caught.value.hint) == (f"{first}:2: quotes.max_spred", "did you mean 'max_spread'?")


def test_combinations_with_a_value_that_could_not_be_read_are_not_judged(tmp_path: Path) -> None:
    text = "position_sizing: {min_trade_size: 12000, max_trade_size: 15k}"
    assert refusal(tmp_path, text).splitlines()[::2] == [
        "c.yaml:1: position_sizing.max_trade_size: '15k' is not a number"
    ]


def test_a_long_list_of_mistakes_is_cut(tmp_path: Path) -> None:
    message = refusal(tmp_path, "execution:\n" + "".join(f"  zz{i}qq: 1\n" for i in range(25)))
    assert message.count("unknown key") == 20
    assert message.endswith("and 5 more")


def test_pipe_and_folder_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", tmp_path):
        with pytest.raises(BadDocument, match="is not a regular file"):
            load_rules([path], {})


@pytest.mark.parametrize(
    ("has_substitute", "instead"), [("true", "other signals are used instead"), ("false", "nothing is traded")]
)
def test_a_model_without_its_extra_is_a_warning(
    has_substitute: str, instead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"model: {{enabled: true, fallback_to_external_signals: {has_substitute}}}"
    loaded = load(tmp_path, text)
    assert loaded.rules.model.enabled
    assert loaded.warnings == ()
    monkeypatch.setattr("rebalancer.settings.load.find_spec", lambda _: None)
    need = "XGBoost is not installed (pip install 'xgboost-cpu>=3', which is the extra `model`)"
    expected = f"model.enabled: {need}; {instead}"
    assert load(tmp_path, text).warnings == (expected,)


@pytest.mark.parametrize("width", ["fixed", "cost"])
@pytest.mark.parametrize("parity", ["true", "false"])
def test_a_band_by_costs_that_nobody_learns_is_a_warning(width: str, parity: str, tmp_path: Path) -> None:
    text = f"position_sizing: {{no_trade_band: {{width: {width}}}}}\nreporting: {{parity: {parity}}}"
    expected = (
        "position_sizing.no_trade_band.width: cost has no effect on trading while reporting.parity is false: "
        "no cost is learned and the fixed width counts; write reporting: {parity: true}, or width: fixed"
    )
    assert load(tmp_path, text).warnings == ((expected,) if (width, parity) == ("cost", "false") else ())


def test_an_enabled_model_is_a_source_with_its_own_weight(tmp_path: Path) -> None:
    signals = load(tmp_path, "model: {enabled: true}").rules.signals
    assert {name: one.weight for name, one in signals.enabled_sources.items()} == {"model": 0.4}
    assert signals.max_age_of("model") == 120
    text = "{signals: {sources: {model: {weight: 2, enabled: false}, xai: {enabled: true}}}, model: {enabled: true}}"
    loaded = load(tmp_path, text)
    assert {name: one.weight for name, one in loaded.rules.signals.enabled_sources.items()} == {"model": 2, "xai": 0.2}
    assert read_rules(rules_text(loaded.rules)) == loaded.rules
    assert load(tmp_path, show_text(loaded, origin=True)).rules == loaded.rules


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("POSITION_SIZING__NO_TRADE_BAND__TO", "edge", "position_sizing.no_trade_band.to", "edge"),
        ("position_sizing__Max_Trade_Size", " 112.50 ", "position_sizing.max_trade_size", "112.50"),
        ("EXECUTION__ENABLED", "false", "execution.enabled", "False"),
        ("SECTORS_FILE", "/data/a: b #1.csv", "sectors_file", "/data/a: b #1.csv"),
        ("SIGNALS__PATH", "'on'", "signals.path", "on"),
        ("SIGNALS__PATH", "ON", "signals.path", "ON"),
        ("MODEL__MODEL_PATH", '""', "model.model_path", ""),
        ("BROKER__ACCOUNT_ID", "null", "broker.account_id", "None"),
        ("SIGNALS__SOURCE_WEIGHTS__my_feed", "2", "signals.source_weights", "{'my_feed': 2.0}"),
        ("SIGNALS__SOURCE_WEIGHTS", "{ON: 2, NO: 1e-3}", "signals.source_weights", "{'ON': 2.0, 'NO': 0.001}"),
    ],
)
def test_variable_sets_a_value(name: str, value: str, key: str, expected: str) -> None:
    found: object = load_rules([], {f"REBALANCER__{name}": value}).rules
    for part in key.split("."):
        found = getattr(found, part)
    assert str(found) == expected


def test_variable_takes_the_spelling_of_the_file(tmp_path: Path) -> None:
    text = "risk_management: {sector_limits: {Technology: 0.2}}"
    loaded = load(tmp_path, text, {"REBALANCER__RISK_MANAGEMENT__SECTOR_LIMITS__TECHNOLOGY": "0.1"})
    assert loaded.rules.risk_management.sector_limits == {"Technology": 0.1}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"REBALANCER__EXECUTION__MOD": "live"},
            "REBALANCER__EXECUTION__MOD: execution.mod: unknown key\n  hint: did you mean 'mode'?",
        ),
        (
            {"REBALANCER__EXECUTION": "{mode: live}"},
            "REBALANCER__EXECUTION: execution: names a section, not a key\n  hint: write REBALANCER__SECTION__KEY",
        ),
        (
            {"REBALANCER__EXECUTION__MODE__X": "live"},
            "REBALANCER__EXECUTION__MODE__X: execution.mode: execution.mode has no keys below it\n"
            "  hint: write REBALANCER__SECTION__KEY",
        ),
        (
            {"REBALANCER__EXECUTION__MODE": "live", "REBALANCER__execution__mode": "paper"},
            "REBALANCER__execution__mode: execution.mode: is set by REBALANCER__EXECUTION__MODE too\n"
            "  hint: unset one of them",
        ),
        (
            {"REBALANCER__EXECUTION__INTERVAL_MINUTES": "5 # five\n---\n6"},
            "REBALANCER__EXECUTION__INTERVAL_MINUTES: execution.interval_minutes: holds more than one document\n"
            "  hint: remove the lines '---' between them",
        ),
        (
            {"REBALANCER__EXECUTION__INTERVAL_MINUTES": "# five"},
            "REBALANCER__EXECUTION__INTERVAL_MINUTES: execution.interval_minutes: holds no value\n"
            "  hint: a '#' begins a comment",
        ),
        (
            {"REBALANCER__BROKER__ACCOUNT_ID": "PKABCDEFGH1234567890"},
            "REBALANCER__BROKER__ACCOUNT_ID: broker.account_id: holds what looks like a secret\n"
            "  hint: keys go to APCA_API_KEY_ID and APCA_API_SECRET_KEY only; renew this one if anybody saw it",
        ),
    ],
)
def test_bad_variable(environ: dict[str, str], message: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_rules([], environ)
    assert str(caught.value) == message


@pytest.mark.parametrize("word", ["0\x1f", "0\xa0", "\x0b0", "\u20030"])
def test_only_the_blanks_of_yaml_are_blanks(word: str) -> None:
    with pytest.raises(BadConfiguration, match=r"REBALANCER__RISK_MANAGEMENT__CORRELATION_THRESHOLD: "):
        load_rules([], {"REBALANCER__RISK_MANAGEMENT__CORRELATION_THRESHOLD": word})
    rules = load_rules([], {"REBALANCER__RISK_MANAGEMENT__CORRELATION_THRESHOLD": " 0.5\t\n"}).rules
    assert rules.risk_management.correlation_threshold == 0.5


def test_type_that_no_configuration_can_hold() -> None:
    with pytest.raises(TypeError, match="no configuration can hold"):
        kind_of(set[str])


SCALARS = [(key, kind) for key, kind in every_key() if kind.name != "mapping"]
WORDS = st.one_of(
    st.sampled_from(
        ["true", "no", "null", "~", "0.1", "1e-3", "007", "paper", "1,5", "ON", "a: b", "'5'", '"x"', "{", "#"]
    ),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.integers(-10, 10_000).map(str),
    st.text(max_size=12),
)


@settings(deadline=None, max_examples=200)
@given(data=st.data(), word=WORDS)
def test_variable_is_as_good_as_the_line_in_the_file(
    data: st.DataObject, word: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """load(file) + variable == load(file with that value), for every key and every word that a line can hold."""
    key, kind = data.draw(st.sampled_from(SCALARS))
    folder = tmp_path_factory.getbasetemp()
    *sections, name = key.split(".")
    text = "".join("  " * i + f"{s}:\n" for i, s in enumerate(sections)) + "  " * len(sections) + f"{name}: {word}\n"
    variable = {f"REBALANCER__{key.replace('.', '__').upper()}": word}
    file, env = _outcome(folder, text, {}), _outcome(folder, "x-none: 1", variable)
    if isinstance(file, Rules):
        # a text in a variable needs no quotes, so what YAML would take for a comment or blanks belongs to it
        assert file == env or (kind.name == "text" and isinstance(env, Rules))
    elif kind.name != "text":
        assert env is None


@settings(deadline=None, max_examples=200)
@given(text=st.one_of(st.text(max_size=80), st.text("{}[]:,-?&*!|>'\"%@`# \n\texcutionmde0159.", max_size=80)))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert _outcome(tmp_path_factory.getbasetemp(), text, {}) is None or text.strip()


def _outcome(folder: Path, text: str, environ: dict[str, str]) -> Rules | None:
    try:
        return load(folder, text.encode("utf-8", "surrogatepass"), environ).rules
    except BadDocument:
        return None
