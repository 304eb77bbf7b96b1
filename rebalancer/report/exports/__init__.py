"""Tables for other programs: the contents of a row (`tables.py`), and rows as CSV or JSON (`writers.py`).

Pure: nothing here reads the journal or writes a file. The formats are described in docs/how-to/exports.md.
"""
