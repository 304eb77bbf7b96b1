"""The simulated market: every price is a pure function of (seed, symbol, time). See `prices.Market`.

1. `listing`   the instruments and their character (level, volatility, factor weights, spread)
2. `noise`     counter-based random numbers: any day of any stream, without replaying from the start
3. `daily`     closes and opens of every session, from market, sector and own draws
4. `paths`     the 15-second path inside a session, tied to that session's open and close
5. `prices`    the facade: quote and trade of a moment, and when a limit price is next reached
6. `windows`   which sessions an answer needs, a few at a time
7. `bars`, `ticks`   bars of any `frames`, past trades, quotes and auctions, from the same nodes
"""
