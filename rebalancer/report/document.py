"""A report as a document: `rebalancer.report/1`, the JSON twin of the page.

One object with the fields of `RunRecord` as keys, in their order, `schema` first, and `figures`, those of the page by
their ids. Quantities, prices and money are
strings, times RFC 3339 in UTC, weights, ratios and seconds numbers (null where not finite), account ids masked. The
page embeds the same document; when that is too large for a page, it embeds a shorter one marked as `abridged`.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from rebalancer.core.codec import BadDocument, plain, read_json
from rebalancer.core.stored_keys import PLAN_ADDED, SNAPSHOT_ADDED, fill_in, leave_out
from rebalancer.report.records import REPORT_SCHEMA, RunRecord
from rebalancer.report.redact import redact
from rebalancer.report.run_figures import figures_of_run
from rebalancer.report.summary import sentence, summary_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# Characters that could hide or reorder text, drive a terminal or break UTF-8: written as escapes, which read back the
# same.
_HIDDEN: Final = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
EMBEDDED_MAX: Final = 48_000  # bytes inside the page; the file beside it has everything


def json_of(record: RunRecord) -> str:
    """Write the whole record as one line of JSON, in UTF-8 that any reader accepts."""
    return json_text(_document(redact(record))) + "\n"


def embedded_json(record: RunRecord, bytes_max: int = EMBEDDED_MAX) -> str:
    """The document for a script element: no character of it can end the element or begin a tag.

    Tries the whole document, then one without the market data, then the summary alone.
    """
    whole = _document(redact(record))
    facts = {
        key: value for key, value in whole["snapshot"].items() if key in ("cycle_id", "as_of", "session", "account")
    }
    plan = {key: value for key, value in whole["plan"].items() if key not in ("targets", "orders", "verdicts")}
    shorter = whole | {"abridged": "market facts and targets", "snapshot": facts, "plan": plan}
    for key in ("figures", "through_the_day"):
        shorter.pop(key, None)
    summary = finite(plain(summary_of(redact(record))))
    summary |= {"because": summary["because"][:1000], "cycle_id": summary["cycle_id"][:200]}
    shortest = {"schema": REPORT_SCHEMA, "abridged": "all but the summary", "summary": summary}
    for document in (whole, shorter):
        text = inside_script(json_text(document))
        if len(text.encode()) <= bytes_max:
            return text
    return inside_script(json_text(shortest))


def read_report(text: str, source: str = "report") -> RunRecord:
    """Read a `rebalancer.report/1` document back into a record. Raises BadDocument naming the key."""
    from pydantic import ValidationError

    document = read_json(text, source, keeps_halves=True)
    if not isinstance(document, dict) or document.get("schema") != REPORT_SCHEMA:
        raise BadDocument(f"{source}: schema", f"not a {REPORT_SCHEMA} document")
    document.pop("sentence", None)
    document.pop("figures", None)
    if isinstance(document.get("plan"), dict):
        fill_in(document["plan"], PLAN_ADDED)
    if isinstance(document.get("snapshot"), dict):
        fill_in(document["snapshot"], SNAPSHOT_ADDED)
    try:
        record = _adapter().validate_python(document)
        plain(record)  # refuses times without a zone
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadDocument(f"{source}: {place}", first["msg"], "is it a report of this program, complete?") from None
    except ValueError as naive:
        raise BadDocument(source, str(naive), "write times as 2026-11-20T15:35:00Z") from None
    return record


@cache
def _adapter() -> TypeAdapter[RunRecord]:
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(RunRecord, config=ConfigDict(extra="forbid", allow_inf_nan=False))


def _document(record: RunRecord) -> dict[str, Any]:
    document: dict[str, Any] = finite(plain(record))
    without_unused(document)
    figures = figures_of_run(record).document()
    return {"schema": document.pop("schema"), "sentence": sentence(record), **document, "figures": figures}


def without_unused(document: dict[str, Any]) -> None:
    """Leave out, in place, what a report has only where it is used: keys of the snapshot as they are stored, the
    sources that are asked in the background, the market's regime, and the course of the day."""
    leave_out(document["snapshot"], SNAPSHOT_ADDED)
    for name in ("weights", "sources", "regime", "through_the_day"):
        if not document[name]:
            del document[name]


def finite(value: Any) -> Any:
    """JSON cannot represent infinity or NaN; such a number becomes null instead of breaking the report."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value


def json_text(document: dict[str, Any]) -> str:
    """One line of JSON without a character that could hide or reorder text."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _HIDDEN.sub(_escaped, text)


def inside_script(text: str) -> str:
    """JSON in which no character can end a script element or begin a tag."""
    return re.sub("[<>&]", _escaped_markup, text)


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def _escaped_markup(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
