"""The sample files that `init` leaves in `samples/`: one of each form in which signals and target weights may come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

README: Final = """\
# Samples

One file of each form that `signals/` takes. Nothing here is traded: copy a file to `signals/`, replace its rows by your
own, and look at what would be read, then at what would be traded:

    cp samples/targets.csv signals/
    rebalancer config check
    rebalancer run-now --dry-run

| file | what it is |
|---|---|
| `scores.csv` | opinions: a score from -1 (sell) to 1 (buy) with a confidence; the program finds the sizes |
| `signals.json` | actions with a confidence in percent, and stops |
| `targets.csv` | target weights, fractions of equity: 60/40 |
| `targets-wide.csv` | target weights by date, one column a symbol; the newest row that is not after today counts |
| `targets.json` | target weights with their time; `"complete": true` closes every name that is absent |
| `tradingview.json` | an alert as TradingView sends it |
| `alpaca-portfolio.json` | a portfolio of Alpaca's rebalancing API |
| `numerai.csv` | Numerai Signals |

Targets hold until the file is replaced; scores must be newer than `signals.max_age_minutes`, so set their times or
leave `issued_at` out: then the time of the file counts.
"""

SAMPLES: Final[Mapping[str, str]] = {
    "README.md": README,
    "scores.csv": "symbol,score,confidence\nAAPL,0.8,0.9\nMSFT,0.5,0.7\nXOM,-0.3,0.6\n",
    "signals.json": (
        '{"signals": [\n'
        ' {"symbol": "AAPL", "action": "BUY", "confidence": 85, "stop_price": "180.00"},\n'
        ' {"symbol": "XOM", "action": "FLAT"}\n'
        "]}\n"
    ),
    "targets.csv": "symbol,weight\nSPY,0.60\nAGG,0.40\n",
    "targets-wide.csv": "date,SPY,AGG\n2026-01-02,0.60,0.40\n2026-07-01,0.70,0.30\n",
    "targets.json": (
        '{"schema": "rebalancer.targets/1", "as_of": "2026-11-20T15:30:00Z", "complete": false,\n'
        ' "weights_of": "equity",\n'
        ' "targets": [{"symbol": "SPY", "weight": "0.60"}, {"symbol": "AGG", "weight": "0.40"}]}\n'
    ),
    "tradingview.json": '{"ticker": "AAPL", "action": "buy", "market_position": "long"}\n',
    "alpaca-portfolio.json": (
        '{"name": "sixty-forty", "weights": [\n'
        ' {"type": "cash", "percent": "10"},\n'
        ' {"type": "asset", "symbol": "SPY", "percent": "54"},\n'
        ' {"type": "asset", "symbol": "AGG", "percent": "36"}\n'
        "]}\n"
    ),
    "numerai.csv": "numerai_ticker,signal\nAAPL US,0.81\nMSFT US,0.55\nXOM US,0.12\n",
}
