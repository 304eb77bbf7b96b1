"""What both xAI's Responses API and Perplexity's Agent API answer: output items with text and citations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rebalancer.signals.sources.contract import SourceUnavailable
from rebalancer.signals.sources.vendor_http import words_of


class ModelText(NamedTuple):
    """The text of an answer, and the addresses that the vendor says were read."""

    text: str
    read: tuple[str, ...]


def model_text(name: str, body: Any) -> ModelText:
    """Read an answer with HTTP 200. Raises SourceUnavailable for one that failed, is not complete or cannot be read."""
    if not isinstance(body, dict):
        raise SourceUnavailable(f"{name}: the answer is no object")
    status = body.get("status", "completed")
    if status != "completed":
        raise SourceUnavailable(f"{name}: the answer is {str(status)[:40]}: {words_of(body.get('error'))}")
    output = body.get("output")
    if not isinstance(output, list):
        raise SourceUnavailable(f"{name}: the answer has no output")
    texts: list[str] = []
    urls: list[str] = []
    for item in output:
        if not isinstance(item, dict):
            continue
        if item.get("type") == "search_results":
            urls += _addresses(item.get("results"))
        for part in _objects(item.get("content")) if item.get("type") == "message" else ():
            if part.get("type") == "output_text" and isinstance(part.get("text"), str):
                texts.append(part["text"])
            urls += _addresses(part.get("annotations"))
    urls += [url for url in body.get("citations") or () if isinstance(url, str)]
    if not texts:
        raise SourceUnavailable(f"{name}: the answer has no text")
    return ModelText("".join(texts), tuple(dict.fromkeys(urls)))


def _addresses(rows: Any) -> list[str]:
    return [row["url"] for row in _objects(rows) if isinstance(row.get("url"), str)]


def _objects(rows: Any) -> Iterator[Mapping[str, Any]]:
    return (row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else iter(())
