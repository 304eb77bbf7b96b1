"""Operations: logs, the run lock, clocks, paths, and files that somebody else writes.

It holds what touches this machine and knows nothing of trading. It imports `core` only. Clocks and waiting exist here
and nowhere else, so that every other room can be tested without time passing.
"""
