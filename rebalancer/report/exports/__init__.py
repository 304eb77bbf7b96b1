"""Tables for other programs: what goes into a row (`tables.py`), and rows as CSV (`as_csv.py`) or JSON (`as_json.py`).

Pure: nothing here reads the journal or writes a file. The formats are described in docs/exports.md.
"""
