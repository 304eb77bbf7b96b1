"""The instruments of the simulated market and their character.

Names and rough price levels are those of well-known US companies, funds and coins so that pages read naturally; the
prices themselves are simulated. Sectors are plain words of our own. A name's prices depend on its own row and its
sector's word alone: adding names changes those of no other, and the rows below never change.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Literal, NamedTuple

from rebalancer.exchange.market.fund_names import COINS, FUNDS
from rebalancer.exchange.market.stock_names import STOCKS

AssetClass = Literal["us_equity", "crypto"]


class Listing(NamedTuple):
    """One instrument. Volatility is annual; weights are correlations with the market and the sector factor."""

    symbol: str
    name: str
    sector: str
    level: float  # USD, the close of the anchor session
    volatility: float
    market_weight: float
    sector_weight: float
    spread_bp: float  # full bid-ask spread in basis points
    daily_volume: int  # shares or coins
    exchange: str = "NASDAQ"
    asset_class: AssetClass = "us_equity"
    tradable: bool = True
    fractionable: bool = True
    shortable: bool = True  # easy to borrow; a tradable name that is not can be sold short with a locate
    overnight: bool = True  # trades between 20:00 and 04:00 New York

    @property
    def is_crypto(self) -> bool:
        return self.asset_class == "crypto"

    @property
    def is_hard_to_borrow(self) -> bool:
        return self.tradable and not self.shortable and not self.is_crypto


_EQUITIES: Final = """
AAPL  | Apple Inc.                  | Technology    | 271.40 | 0.27 | 0.66 | 0.40 | 1.0 | 48000000 | NASDAQ
MSFT  | Microsoft Corporation       | Technology    | 478.60 | 0.24 | 0.66 | 0.44 | 1.0 | 21000000 | NASDAQ
NVDA  | NVIDIA Corporation          | Technology    | 182.30 | 0.45 | 0.58 | 0.50 | 1.0 | 190000000 | NASDAQ
AVGO  | Broadcom Inc.               | Technology    | 352.10 | 0.42 | 0.56 | 0.50 | 1.4 | 22000000 | NASDAQ
ORCL  | Oracle Corporation          | Technology    | 219.80 | 0.36 | 0.54 | 0.42 | 1.6 | 14000000 | NYSE
CRM   | Salesforce Inc.             | Technology    | 241.50 | 0.32 | 0.54 | 0.44 | 2.0 | 7000000 | NYSE
GOOGL | Alphabet Inc. Class A       | Communication | 292.70 | 0.29 | 0.60 | 0.40 | 1.0 | 36000000 | NASDAQ
META  | Meta Platforms Inc.         | Communication | 604.90 | 0.34 | 0.58 | 0.42 | 1.2 | 14000000 | NASDAQ
NFLX  | Netflix Inc.                | Communication | 112.60 | 0.35 | 0.46 | 0.36 | 1.8 | 30000000 | NASDAQ
DIS   | Walt Disney Company         | Communication | 106.30 | 0.26 | 0.52 | 0.34 | 2.0 | 9000000 | NYSE
AMZN  | Amazon.com Inc.             | Retail        | 222.40 | 0.31 | 0.62 | 0.38 | 1.0 | 42000000 | NASDAQ
TSLA  | Tesla Inc.                  | Retail        | 404.20 | 0.55 | 0.46 | 0.34 | 1.0 | 85000000 | NASDAQ
HD    | Home Depot Inc.             | Retail        | 341.70 | 0.22 | 0.56 | 0.44 | 2.0 | 4000000 | NYSE
MCD   | McDonald's Corporation      | Retail        | 306.10 | 0.18 | 0.42 | 0.36 | 2.0 | 3200000 | NYSE
NKE   | Nike Inc. Class B           | Retail        | 63.80  | 0.32 | 0.44 | 0.40 | 2.6 | 15000000 | NYSE
WMT   | Walmart Inc.                | Staples       | 103.50 | 0.20 | 0.40 | 0.48 | 1.6 | 19000000 | NYSE
COST  | Costco Wholesale            | Staples       | 905.20 | 0.21 | 0.46 | 0.46 | 2.0 | 2200000 | NASDAQ
PG    | Procter & Gamble Company    | Staples       | 148.30 | 0.17 | 0.38 | 0.56 | 1.8 | 8000000 | NYSE
KO    | Coca-Cola Company           | Staples       | 71.60  | 0.16 | 0.36 | 0.56 | 1.8 | 15000000 | NYSE
LLY   | Eli Lilly and Company       | Health Care   | 1043.00| 0.34 | 0.38 | 0.44 | 2.4 | 3600000 | NYSE
JNJ   | Johnson & Johnson           | Health Care   | 203.60 | 0.17 | 0.36 | 0.54 | 1.8 | 8000000 | NYSE
UNH   | UnitedHealth Group          | Health Care   | 318.90 | 0.32 | 0.34 | 0.40 | 2.2 | 8000000 | NYSE
MRK   | Merck & Co. Inc.            | Health Care   | 97.20  | 0.23 | 0.34 | 0.52 | 2.0 | 12000000 | NYSE
JPM   | JPMorgan Chase & Co.        | Finance       | 303.40 | 0.23 | 0.58 | 0.58 | 1.4 | 9000000 | NYSE
BAC   | Bank of America             | Finance       | 52.10  | 0.26 | 0.56 | 0.60 | 2.0 | 38000000 | NYSE
V     | Visa Inc. Class A           | Finance       | 329.60 | 0.20 | 0.58 | 0.44 | 1.6 | 6000000 | NYSE
BRK.B | Berkshire Hathaway Class B  | Finance       | 505.70 | 0.17 | 0.56 | 0.48 | 1.8 | 4500000 | NYSE
XOM   | Exxon Mobil Corporation     | Energy        | 117.10 | 0.24 | 0.34 | 0.72 | 1.6 | 15000000 | NYSE
CVX   | Chevron Corporation         | Energy        | 150.40 | 0.24 | 0.34 | 0.72 | 1.8 | 8000000 | NYSE
COP   | ConocoPhillips              | Energy        | 88.30  | 0.31 | 0.32 | 0.72 | 2.6 | 7000000 | NYSE
CAT   | Caterpillar Inc.            | Industry      | 563.20 | 0.30 | 0.56 | 0.46 | 2.4 | 3500000 | NYSE
GE    | GE Aerospace                | Industry      | 298.40 | 0.31 | 0.54 | 0.44 | 2.4 | 4800000 | NYSE
HON   | Honeywell International     | Industry      | 195.90 | 0.21 | 0.54 | 0.48 | 2.4 | 3600000 | NASDAQ
UPS   | United Parcel Service       | Industry      | 94.10  | 0.28 | 0.44 | 0.44 | 2.8 | 6500000 | NYSE
LIN   | Linde plc                   | Materials     | 414.80 | 0.20 | 0.52 | 0.48 | 2.8 | 2200000 | NASDAQ
FCX   | Freeport-McMoRan Inc.       | Materials     | 40.20  | 0.40 | 0.46 | 0.52 | 3.2 | 17000000 | NYSE
NEE   | NextEra Energy Inc.         | Utilities     | 84.50  | 0.25 | 0.34 | 0.58 | 2.2 | 9000000 | NYSE
DUK   | Duke Energy Corporation     | Utilities     | 122.60 | 0.17 | 0.28 | 0.66 | 2.6 | 3300000 | NYSE
PLD   | Prologis Inc.               | Real Estate   | 125.40 | 0.26 | 0.46 | 0.56 | 2.8 | 3900000 | NYSE
AMT   | American Tower Corporation  | Real Estate   | 181.20 | 0.25 | 0.38 | 0.58 | 3.0 | 2600000 | NYSE
SPY   | SPDR S&P 500 ETF Trust      | Index Fund    | 659.10 | 0.16 | 0.99 | 0.05 | 1.0 | 75000000 | ARCA
"""

_ODD_ONES: Final = (  # each refuses something, as real listings do
    Listing(
        "NVR", "NVR Inc.", "Retail", 7312.0, 0.27, 0.46, 0.42, 5.0, 22000, "NYSE", fractionable=False, overnight=False
    ),
    Listing(
        "AMC", "AMC Entertainment", "Communication", 2.36, 0.70, 0.28, 0.26, 5.0, 18000000, "NYSE", shortable=False
    ),
    Listing("TWTR", "Twitter Inc.", "Communication", 53.7, 0.4, 0.4, 0.4, 5.0, 9000000, "NYSE", tradable=False),
)
_CRYPTO: Final = (
    Listing("BTC/USD", "Bitcoin / US Dollar", "Crypto", 91250.0, 0.48, 0, 0.86, 3.0, 21000, "CRYPTO", "crypto"),
    Listing("ETH/USD", "Ethereum / US Dollar", "Crypto", 3015.0, 0.66, 0, 0.84, 4.0, 310000, "CRYPTO", "crypto"),
)


_WEIGHTS: Final = {  # correlations with the market and with the sector, where a row gives none
    "Technology": (0.56, 0.46), "Communication": (0.52, 0.38), "Retail": (0.50, 0.40), "Staples": (0.38, 0.52),
    "Health Care": (0.36, 0.48), "Finance": (0.56, 0.52), "Energy": (0.34, 0.70), "Industry": (0.52, 0.46),
    "Materials": (0.46, 0.50), "Utilities": (0.30, 0.62), "Real Estate": (0.42, 0.58), "Index Fund": (0.96, 0.12),
    "World Fund": (0.68, 0.52), "Bond Fund": (-0.10, 0.88), "Commodity Fund": (0.12, 0.50),
}  # fmt: skip
_USUAL: Final = (0.50, 0.30)  # of a sector that is not listed above
_CRYPTO_WEIGHTS: Final = (0.0, 0.84)
_SPREADS: Final = ((20_000_000, 1.2), (5_000_000, 1.8), (1_000_000, 2.6))  # basis points, from so many shares a day on
_SPREAD_MAX: Final = 4.0
USUAL_VOLUME: Final = 1_000_000  # shares a day of a user's name


@cache
def listings() -> dict[str, Listing]:
    """All instruments by symbol, sorted; crypto under `BTC/USD`."""
    first = [*(_row(line) for line in _EQUITIES.strip().splitlines()), *_ODD_ONES, *_CRYPTO]
    rows = [*first, *(_short_row(line) for table in (STOCKS, FUNDS, COINS) for line in table.strip().splitlines())]
    return {row.symbol: row for row in sorted(rows)}


def usual_listing(
    symbol: str, name: str, sector: str, level: float, volatility: float, volume: int = USUAL_VOLUME, venue: str = ""
) -> Listing:
    """A listing of which only these things are known; a symbol with a slash is a crypto pair.

    Its correlations are those of its sector, its spread follows its volume.
    """
    crypto = "/" in symbol
    market, own = _CRYPTO_WEIGHTS if crypto else _WEIGHTS.get(sector, _USUAL)
    spread = 4.0 if crypto else next((spread for least, spread in _SPREADS if volume >= least), _SPREAD_MAX)
    venue = venue or ("CRYPTO" if crypto else "NASDAQ")
    return Listing(
        symbol, name, sector, level, volatility, market, own, spread, volume, venue, "crypto" if crypto else "us_equity"
    )


def _short_row(line: str) -> Listing:
    symbol, name, sector, level, volatility, thousands, venue = (part.strip() for part in line.split("|"))
    return usual_listing(symbol, name, sector, float(level), float(volatility), 1000 * int(thousands), venue)


def _row(line: str) -> Listing:
    symbol, name, sector, level, volatility, market, own, spread, volume, venue = (
        part.strip() for part in line.split("|")
    )
    return Listing(
        symbol,
        name,
        sector,
        float(level),
        float(volatility),
        float(market),
        float(own),
        float(spread),
        int(volume),
        venue,
    )
