"""Misbehaviour on demand, seeded: what a broker does wrong, switched on by rules from a file or the admin port.

1. `kinds`     every kind of fault, where it strikes and which parameters it takes
2. `rules`     reading rules, with one clear error for each mistake
3. `engine`    which rule fires now: a pure function of (seed, rule, n-th matching request)
4. `gate`      faults of requests and answers; `bending` those that change an answer's JSON; `connection` those that
               need the socket; `refusals` the known refusals by name
5. `venue`     faults in the course of an order; `quotes` faults of prices; streams ask the engine themselves
"""
