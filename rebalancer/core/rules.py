"""Every rule a user can set, with its unit, range and default: the model of `config/execution.yaml`.

Fractions are of capital (equity x `capital_scaling`), except losses and heat, which are of equity. Ranges are hard
ceilings: no configuration can exceed them. Unknown keys are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from rebalancer.core.band_rules import NoTradeBand
from rebalancer.core.journal_rules import JournalStorage
from rebalancer.core.regime_rules import RegimeRules
from rebalancer.core.rule_section import Count, Exposure, Fraction, Money, RuleSection, Seconds, Share
from rebalancer.core.schedule import Schedule, schedule_of
from rebalancer.core.signal_rules import Signals
from rebalancer.core.values import symbol_of


class Execution(RuleSection):
    """When and how orders are sent."""

    enabled: bool = Field(True, description="false: every cycle ends as SKIPPED_PAUSED")
    mode: Literal["paper", "live"] = Field("paper", description="live needs more: docs/how-to/environments.md")
    signal_threshold: Share = Field(0.1, description="a signal with |score x confidence| below this is neutral")
    max_orders_per_execution: Count = Field(10, description="orders per cycle, reductions first")
    interval_minutes: int = Field(5, ge=1, le=390, description="minutes between cycles")
    order_type: Literal["market", "limit"] = "market"
    limit_offset_bps: float = Field(10, ge=0, le=500, description="limit orders: basis points beyond the far side")
    phase_timeout_seconds: Seconds = Field(30, description="how long a phase waits for its fills before cancelling")
    cancel_timeout_seconds: Seconds = Field(10, description="how long it waits for cancels to be confirmed")
    close_buffer_seconds: int = Field(60, ge=0, le=3600, description="no cycle starts this close to the close")
    neutral_signals: Literal["exit", "hold"] = Field("exit", description="what a neutral signal means for a holding")
    unsignalled_positions: Literal["hold", "exit"] = Field("hold", description="silence is not a sell")
    exit_threshold: Share | None = Field(
        None, description="between this and signal_threshold a position is kept as it is; null: the same"
    )
    schedule: str | None = Field(
        None,
        max_length=80,
        description="when cycles run: every 5m, daily 15:45, weekly last 15:45, monthly first 10:00 (New York), or "
        "drift 0.05; null: every interval_minutes",
    )

    @field_validator("schedule")
    @classmethod
    def _is_a_schedule(cls, text: str | None, info: ValidationInfo) -> str | None:
        schedule_of(text, 1, info.data.get("close_buffer_seconds", 0))
        return text

    @property
    def timing(self) -> Schedule:
        """When cycles run, from `schedule`, `interval_minutes` and `close_buffer_seconds`."""
        return schedule_of(self.schedule, self.interval_minutes, self.close_buffer_seconds)

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Execution:
        if self.exit_threshold is not None and self.exit_threshold > self.signal_threshold:
            raise ValueError("exit_threshold must not be above signal_threshold")
        return self


class PositionSizing(RuleSection):
    """From a score to a weight and from a weight to a trade."""

    capital_scaling: float = Field(2.0, gt=0, le=4, description="capital = equity x this")
    base_position_size: Fraction = Field(0.10, description="weight of a full score at the volatility target")
    max_position_size: Fraction = Field(0.15, description="largest weight of one name")
    max_total_exposure: Exposure = Field(0.8, description="largest sum of absolute weights")
    max_long_exposure: Exposure | None = Field(None, description="largest sum of long weights; null: no own limit")
    max_short_exposure: Exposure | None = Field(None, description="largest sum of short weights; null: no own limit")
    min_trade_size: Money = Field(Decimal("100.0"), description="USD; smaller trades are not worth sending")
    max_trade_size: Money = Field(Decimal("10000.0"), description="USD; a larger trade is spread over cycles")
    max_order_value: Money = Field(
        Decimal("15000.0"), description="USD; hard ceiling of an order (reductions: or one lot)"
    )
    method: Literal["fixed_fraction", "proportional", "inverse_volatility", "equal", "fixed"] = "fixed_fraction"
    confidence_scaling: Literal["proportional", "above_75"] = Field(
        "proportional",
        description="above_75: nothing opens below 0.75, base size there, max_position_size at 1, linear between",
    )
    crypto_floor: Fraction | None = Field(
        None, description="fraction of buying power; least raw weight of a coin dearer than 10 000 USD; null: none"
    )
    volatility_target: float = Field(0.30, gt=0, le=5, description="annualised; scales a name by target / its own")
    volatility_measure: Literal["returns", "atr"] = Field(
        "returns", description="returns: deviation of daily returns; atr: average true range of a day / price"
    )
    volatility_scale_min: float = Field(0.5, gt=0, le=1)
    volatility_scale_max: float = Field(1.5, ge=1, le=5)
    allow_short: bool = Field(False, description="false: a negative score means no position")
    fractional: bool = Field(False, description="true: fractions of a share where the broker allows them")
    no_trade_band: NoTradeBand = NoTradeBand()

    @model_validator(mode="after")
    def _trade_sizes_in_order(self) -> PositionSizing:
        if self.min_trade_size > min(self.max_trade_size, self.max_order_value):
            raise ValueError("min_trade_size must not be above max_trade_size or max_order_value")
        return self


class Selection(RuleSection):
    """What a person leaves out, for good here or for one run on the command line."""

    only: list[str] = Field([], description="trade these symbols and no others; empty: all")
    exclude: list[str] = Field([], description="never trade these symbols")
    side: Literal["both", "buy", "sell"] = Field("both", description="sell: only sales; buy: only purchases")
    withdraw: Decimal = Field(
        Decimal(0), ge=0, le=10_000_000, allow_inf_nan=False, description="USD; planned as though they had left already"
    )
    max_turnover: Fraction | None = Field(
        None, description="value of all trades of a cycle, fraction of capital; reductions are never held back"
    )
    at_most: dict[str, dict[Literal["reduce", "increase"], Decimal]] = Field(
        {}, description="shares by symbol and phase, no other is traded; set by run-now --plan; empty: no such limit"
    )

    @field_validator("only", "exclude")
    @classmethod
    def _names(cls, names: list[str]) -> list[str]:
        return [symbol_of(name) for name in names]


class RiskManagement(RuleSection):
    """Limits. A limit whose data is missing denies."""

    max_daily_loss: Fraction = Field(0.02, description="fraction of yesterday's equity; beyond: reductions only")
    max_drawdown: Fraction = Field(0.10, description="fraction below the high-water mark; beyond: reductions only")
    max_position_risk: Fraction = Field(0.05, description="weight x annualised volatility of one name")
    max_trade_heat: Fraction = Field(0.02, description="loss of one name at its stop, as a fraction of equity")
    max_sector_exposure: Fraction = Field(0.3, description="sum of absolute weights of one sector")
    sector_limits: dict[str, Fraction] = Field({}, description="own limit per sector, by name")
    max_unknown_sector_exposure: Fraction | None = Field(
        None, description="names without a sector; null: the tightest of all sector limits"
    )
    max_correlation_exposure: Fraction = Field(0.4, description="sum of absolute weights of one correlation group")
    correlation_threshold: Share = Field(0.7, description="daily returns correlated above this share a group")
    correlation_groups: Literal["daily", "stable"] = Field("daily", description="stable: move only after two weeks")
    max_orders_per_day: Count = Field(100, description="orders per trading day, counted by attempts")
    max_orders_per_symbol_per_day: Count = Field(10, description="the same for each symbol")
    reserved_order_fraction: Share = Field(0.2, description="part of the daily orders that only reductions may use")
    default_stop_distance: Fraction = Field(0.03, description="stop distance of a signal that names no stop")
    assumed_volatility: float = Field(1.0, gt=0, le=10, description="annualised; for a name whose own is unknown")
    max_frozen_exposure: Share = Field(0.25, description="unexplained positions above this fraction halt the cycle")
    buying_power_buffer: Share = Field(0.01, description="part of the buying power that is never used")
    on_breach: Literal["reduce_only", "flatten"] = Field(
        "reduce_only", description="after a daily loss or drawdown, for the rest of the day"
    )
    max_positions: Count | None = Field(None, description="open positions at most; null: no own limit")
    max_correlated_positions: Count | None = Field(
        None, description="open positions of one correlation group at most; null: no own limit"
    )
    max_stop_distance: Fraction | None = Field(
        None, description="a signal whose stop is farther away opens nothing; null: no own limit"
    )
    max_overnight_leverage: float = Field(1.9, gt=0, le=2, description="gross exposure / equity at the close")
    overnight_glide_minutes: int = Field(
        60, ge=0, le=390, description="minutes before the close; the gross limit glides down to the overnight one"
    )
    flat_by_minutes_before_close: int | None = Field(
        None, ge=1, le=390, description="all positions are closed from here on; null: positions are kept overnight"
    )


class Gate(RuleSection):
    """The last check before every order leaves; it shares no code with the planner."""

    max_order_quantity: Decimal = Field(Decimal("100000"), gt=0, allow_inf_nan=False, description="shares or coins")
    max_orders_per_minute: Count = Field(60, description="beyond: the gate closes until a person opens it again")
    duplicate_window_seconds: Seconds = Field(
        30, description="the same symbol, side and quantity under another id within this time is refused"
    )
    max_price_move: Fraction = Field(0.05, description="quote now against the decision price; beyond: refused")


class Protection(RuleSection):
    """Stops and targets of open positions."""

    mode: Literal["broker", "monitor", "off"] = Field(
        "monitor", description="broker: orders kept at the broker; monitor: this program watches, while a session runs"
    )
    stop_loss: Fraction = Field(0.03, description="exit this far against the entry price, unless the signal named one")
    take_profit: Fraction = Field(0.05, description="exit this far in favour of it, unless the signal named one")
    poll_seconds: Seconds = Field(5, description="between two looks at the prices")
    max_unprotected_seconds: Seconds = Field(60, description="longer without protection: an alert")
    attempts: int = Field(5, ge=1, le=100, description="tries to place protection before a person is asked")
    stop_type: Literal["stop", "stop_limit"] = Field(
        "stop", description="stop: an order at the market once the price is reached; stop_limit: a limit order"
    )
    stop_limit_offset_bps: float = Field(
        50, ge=0, le=5000, allow_inf_nan=False, description="stop_limit: basis points of the stop beyond it"
    )
    cool_off: Literal["session", "none"] | Annotated[int, Field(ge=1, le=44_640)] = Field(
        "session", description="after a stop nothing is opened in its symbol: until the next session, none, or minutes"
    )
    cool_off_lifted_by_newer_signal: bool = Field(
        False, description="true: a signal that is newer than the stop opens again"
    )


class SessionDay(RuleSection):
    """The trading day that the timer starts."""

    start_lead_minutes: int = Field(5, ge=0, le=120, description="preflight begins this long before the open")
    late_start_seconds: Seconds = Field(120, description="a slot begun later than this is skipped, never made up for")
    crypto_around_the_clock: bool = Field(False, description="true: crypto trades in slots day and night, every day")
    end_of_day_minutes: int = Field(5, ge=0, le=120, description="end-of-day work begins this long after the close")


class Alerts(RuleSection):
    """Who is told. Addresses with secrets in them are secrets: REBALANCER_ALERT_WEBHOOK, REBALANCER_SMTP_URL,
    REBALANCER_APPRISE_URLS, REBALANCER_HEARTBEAT_URL (docs/how-to/environments.md)."""

    email_to: str = Field("", description="addresses, separated by commas; needs REBALANCER_SMTP_URL")
    email_from: str = Field("", description="sender; empty: the first recipient")
    summary: bool = Field(True, description="one message a day")
    min_level: Literal["info", "warning", "action"] = Field("warning", description="what is sent at once")
    attempts: int = Field(8, ge=1, le=100, description="tries per message, with growing pauses")


class Quotes(RuleSection):
    """Which prices count."""

    max_age_seconds: Seconds = Field(120, description="an older quote is no price")
    max_spread: Fraction = Field(0.05, description="(ask - bid) / mid beyond this is no price")
    max_unusable_fraction: Share = Field(0.5, description="more names than this without a price halt the cycle")


class Broker(RuleSection):
    """Which broker, and how patiently it is asked."""

    kind: Literal["auto", "embedded", "alpaca"] = Field(
        "auto", description="auto: Alpaca when APCA_API_KEY_ID or APCA_API_BASE_URL is set, else the embedded exchange"
    )
    account_id: str | None = Field(None, description="refuse to trade any other account; required for live")
    data_feed: Literal["iex", "sip", "delayed_sip"] = "iex"
    connect_timeout_seconds: Seconds = Field(5, description="to open a connection")
    read_timeout_seconds: Seconds = Field(20, description="between two pieces of an answer")
    total_timeout_seconds: Seconds = Field(30, description="deadline of one call, slow drips included")
    max_concurrent_calls: int = Field(16, ge=1, le=64)
    requests_per_minute: int = Field(180, ge=1, le=10_000, description="Alpaca allows 200 per account")


class Simulation(RuleSection):
    """The embedded paper exchange."""

    seed: int = Field(7, ge=0, le=2**31)
    cash: Money = Decimal("100000")


class Reporting(RuleSection):
    """Where pages go."""

    directory: str = Field("reports", description="relative to the project")
    keep_days: int = Field(400, ge=1, le=36_500, description="pages older than this are removed; the journal is kept")
    benchmark: str = Field("SPY", description="compared with when its bars exist; empty: none")
    lot_method: Literal["fifo", "average"] = Field("fifo", description="which shares a sale closes")
    risk_free_rate: float = Field(0.0, ge=-0.05, le=0.5, allow_inf_nan=False, description="annual, for the ratios")
    evidence: bool = Field(False, description="write a signed file of the day at its end")
    parity: bool = Field(True, description="after the close plan the day again and compare it with the model's fills")
    shadow_books: list[str] = Field([], description="other configurations, planned each evening on the live snapshots")


class Export(RuleSection):
    """Copies of the trade journal elsewhere. The token stands in the environment: TRADERVUE_USERNAME, _PASSWORD."""

    tradervue: bool = Field(False, description="send executions to Tradervue at the end of the day")
    tradervue_url: str = Field("https://app.tradervue.com", description="its address")


class Web(RuleSection):
    """The HTTP API, a process of its own: `rebalancer web serve`. Tokens: `rebalancer web token add`."""

    enabled: bool = Field(False, description="true: `web serve` may run")
    listen: str = Field("127.0.0.1:8787", description="loopback address and port")
    hooks_listen: str | None = Field(None, description="loopback address and port of /hooks alone; null: no hooks")
    hosts: list[str] = Field([], description="further Host headers that are answered, such as desk.example:8443")
    metrics_public: bool = Field(False, description="true: /metrics needs no token")
    live_writes: bool = Field(False, description="true: live accounts take signals too, after a new arm-live")
    repeat_seconds: int = Field(60, ge=0, le=3600, description="the same again without id, time or key: one signal")
    requests_per_minute: int = Field(1200, ge=1, le=1_000_000, description="of each token; beyond: 429")


class Model(RuleSection):
    """The optional model, one more source of signals. Off: signals come from the sources above, and nothing of it is
    loaded."""

    enabled: bool = Field(False, description="use the model's signals")
    model_path: str = Field(
        "",
        description="file of the trained model, relative to the project; empty: model/model.json in the state folder",
    )
    features_path: str = Field("", description="file that describes it; empty: model/features.json there")
    fallback_to_external_signals: bool = Field(
        True, description="use the other signals when the model cannot be used; false: nothing is traded then"
    )
    max_age_days: Annotated[int, Field(ge=1, le=36500)] | None = Field(
        180, description="a model whose newest prices are older is not used; null: no limit"
    )


class Rules(RuleSection):
    """All rules of one cycle. Stored whole with each plan, so that the plan can be recomputed."""

    execution: Execution = Execution()
    position_sizing: PositionSizing = PositionSizing()
    selection: Selection = Selection()
    risk_management: RiskManagement = RiskManagement()
    regime: RegimeRules = RegimeRules()
    gate: Gate = Gate()
    protection: Protection = Protection()
    session: SessionDay = SessionDay()
    alerts: Alerts = Alerts()
    signals: Signals = Signals()
    quotes: Quotes = Quotes()
    broker: Broker = Broker()
    simulation: Simulation = Simulation()
    reporting: Reporting = Reporting()
    export: Export = Export()
    web: Web = Web()
    journal: JournalStorage = JournalStorage()
    model: Model = Model()
    sectors_file: str = Field("config/sectors.csv", description="symbol,sector,correlation_group,source,as_of")

    @model_validator(mode="before")
    @classmethod
    def _with_the_model_as_a_source(cls, given: Any) -> Any:
        """`model.enabled` enables the source `model`, whose weight and the like stand under `signals.sources.model`."""
        model = given.get("model") if isinstance(given, Mapping) else None
        if not isinstance(model, Mapping) or model.get("enabled") is not True:
            return given
        signals = given.get("signals") or {}
        sources = signals.get("sources") if isinstance(signals, Mapping) else None
        if not isinstance(signals, Mapping) or not isinstance(sources or {}, Mapping):
            return given  # refused where it stands
        own = (sources or {}).get("model") or {}
        if not isinstance(own, Mapping):
            return given
        return {**given, "signals": {**signals, "sources": {**(sources or {}), "model": {**own, "enabled": True}}}}
