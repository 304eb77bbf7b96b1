"""Operations: logs, the run lock, clocks, paths and file access.

It contains the code that depends on the machine, and none that concerns trading. Of the project it imports `core` only.
All clock access and waiting is here, so that every other package can be tested without time passing.
"""
