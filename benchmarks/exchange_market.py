"""How long one page of the embedded exchange's market data takes, when nothing is in memory yet and again.

python -m benchmarks.exchange_market
"""

from __future__ import annotations

import time

from rebalancer.exchange import market_data
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange

LONG_AGO = {"start": "2019-01-01"}
STOCKS, PAIR = {"symbols": "AAPL", **LONG_AGO}, {"symbols": "BTC/USD", **LONG_AGO}
MINUTES, DAYS = {"timeframe": "1Min"}, {"timeframe": "1Day"}
NEWEST, MANY = {"sort": "desc", "limit": "1"}, {"limit": "10000"}
PAGES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("newest minute of 8 years, crypto", "bars", {**PAIR, **MINUTES, **NEWEST}),
    ("newest minute of 8 years", "bars", {**STOCKS, **MINUTES, **NEWEST}),
    ("newest day of 8 years", "bars", {**STOCKS, **DAYS, **NEWEST}),
    ("10 000 minutes", "bars", {**STOCKS, **MINUTES, **MANY}),
    ("all days of 8 years", "bars", {**STOCKS, **DAYS, **MANY}),
    ("all days of 8 years, crypto", "bars", {**PAIR, **DAYS, **MANY}),
    ("newest trade of 8 years", "trades", {**STOCKS, **NEWEST}),
    ("10 000 trades", "trades", {**STOCKS, **MANY}),
)


def main() -> None:
    """Run and print the figures."""
    print(f"{'page':34} {'first ms':>9} {'again ms':>9} {'rows':>6}")
    for name, kind, query in PAGES:
        exchange = open_exchange(ExchangeOptions(speed=0))
        times = []
        for _ in range(2):
            began = time.perf_counter()
            page = market_data.page(exchange, kind, query, "pairs" if "/" in query["symbols"] else "stocks")
            times.append((time.perf_counter() - began) * 1e3)
        found = page[kind]
        assert isinstance(found, dict)
        print(f"{name:34} {times[0]:9.1f} {times[1]:9.1f} {sum(map(len, found.values())):6}")
        exchange.close()


if __name__ == "__main__":
    main()
