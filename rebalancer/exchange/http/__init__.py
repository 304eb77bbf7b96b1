"""The HTTP face: routes and parsing only; every answer is made by `core.Exchange` and the modules beside it.

`gate` stands before all routes (keys, rate limit, clock header, faults of ours); `body` reads requests; then one file a
resource group: `account`, `orders`, `positions`, `reference` (assets, clock, calendar), `data` (stocks and crypto).
"""
