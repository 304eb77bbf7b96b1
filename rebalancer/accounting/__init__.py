"""The books beside the orders: account activities, money in and out, latches of the day, accepted resets, day ends.

`activities.py` reads and keeps what the broker did to the account; `causes.py` finds the one that explains a changed
position; `flows.py` keeps deposits from looking like profit; `latches.py` remembers broken loss limits for the day;
`acceptance.py` lets a person accept other books; `closing.py` closes a day, to the cent, from activities alone.
"""
