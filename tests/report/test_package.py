"""The names that callers use, and that they cost nothing until used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rebalancer.report
from rebalancer.report import html_of, json_of, write_report
from rebalancer.report.document import json_of as document_json_of
from rebalancer.report.files import write_report as files_write_report
from rebalancer.report.page import html_of as page_html_of


def test_names() -> None:
    assert (html_of, json_of, write_report) == (page_html_of, document_json_of, files_write_report)
    with pytest.raises(AttributeError, match="no attribute 'pdf_of'"):
        rebalancer.report.pdf_of  # noqa: B018 - the access is the test


def test_templates_engine_is_loaded_by_the_page_only() -> None:
    code = "import sys, rebalancer.report.files; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
