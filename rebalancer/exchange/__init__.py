"""The embedded paper exchange: an Alpaca-compatible HTTP server over a simulated market, with its books in SQLite.

Start it with `starter.start_exchange` (in this process) or `starter.serve` (foreground). Reading order for a newcomer:

1. `starter`   options, life cycle, the lock on the state file
2. `http`      routes, one file a resource group; parsing as tolerant as Alpaca's
3. `core`      `Exchange`: what every request means, on plain dicts, without sockets
4. `checks`    why an order is refused; `errors` the exact bodies
5. `matching`  when an order fills, expires or is cancelled; `books` what that does to cash and positions
6. `ledger`    double entry; `margin` account numbers; `store` SQLite; `clock` and `calendar` time; `market` prices
7. `streams`   what is told unasked; `faults` misbehaviour on demand; `admin` the port that steps time
"""
