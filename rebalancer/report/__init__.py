"""What people read of cycles and of days: pages, mail, text, JSON and CSV, made from records.

It holds the records, one file per section, and the reader that gathers them from the journal. It makes no trading
decision and sends no order. It imports accounting, performance, the journal and what is below them.
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
