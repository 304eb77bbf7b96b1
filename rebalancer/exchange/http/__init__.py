"""The HTTP face: routes and parsing only; every answer is made by `core.Exchange` and the modules beside it.

`gate` stands before all routes (keys, rate limit, clock header, faults of ours); `body` reads requests; then one file a
resource group: `account`, `history` (activities, portfolio history), `orders`, `positions`, `reference` (assets,
clocks, calendars, announcements), `watchlists`, `locates`, `data` (market data).
"""
