"""The parts of an edition, one file per subject: each is a function from a `Source` to one field of the `PeriodReport`.

`source.py` reads the journal once for all of them; `gather.py`, beside this folder, lists them in the order in which
they are read.
"""
