"""The live view: what one moment of an account looks like, computed once from its state folder.

`gather.py` reads journal, session and sources into a `LiveAccount` (`records.py`); the page (`page.py`), the terminal
(`screen.py`) and the API (`document.py`) show the same figures, since each is a `Figure` with its text. Nothing here
asks a broker or writes a file.
"""
