"""What people see of a cycle: the HTML page, its JSON twin, and the tables of the terminal.

Pure but for `files.py`, the only module that writes. Start reading at `records.py`: a report is made from one
`RunRecord` and nothing else. Sections whose facts are missing are left out, never filled with guesses.

The three names below are loaded when they are first used: `status` must not pay for templates and validation.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rebalancer.report.document import json_of
    from rebalancer.report.files import write_report
    from rebalancer.report.page import html_of

__all__ = ["html_of", "json_of", "write_report"]

_HOME: Final = {"html_of": "page", "json_of": "document", "write_report": "files"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
