"""Report pages as answers: below the report folder and nowhere else, with a policy that lets no script run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from starlette.responses import Response

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content
from rebalancer.web.problems import HttpProblem

NAME: Final = re.compile(r"(?:[0-9]{4}/)?[A-Za-z0-9][A-Za-z0-9_.:+-]{0,120}\.(?:html|json)", re.ASCII)
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_BYTES_MAX: Final = 32 * 1024 * 1024


def report_response(folder: Path, name: str, *, sandbox: bool) -> Response:
    """One report: a page, or its JSON. sandbox: the page belongs to no site, so that its links carry no cookie. Raises
    HttpProblem 404."""
    path = folder / name
    if NAME.fullmatch(name) is None or not path.is_file() or _leaves(path, folder):
        raise HttpProblem(404, "there is no such report")
    try:
        body = read_content(path, _BYTES_MAX).body
    except BadDocument as error:
        raise HttpProblem(404, f"the report cannot be read: {error.problem}") from None
    if name.endswith(".json"):
        return Response(body, media_type="application/json")
    policy = f"{POLICY}; sandbox allow-popups" if sandbox else POLICY
    return Response(body, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})


def _leaves(path: Path, folder: Path) -> bool:
    return not path.resolve().is_relative_to(folder.resolve())
