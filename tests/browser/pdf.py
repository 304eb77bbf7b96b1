"""The text of a PDF that Chromium made, page by page: enough of the format to see that nothing was lost in print.

Chromium writes plain objects with compressed streams; text is shown as glyph numbers, and each font brings a table from
glyph numbers to characters (ISO 32000-1, 9.10.3). Nothing is laid out: the text of a page is in the order of painting.
"""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\s(.*?)\sendobj", re.S)
_STREAM = re.compile(rb"stream\r?\n(.*)\r?\nendstream", re.S)
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)>(?=[^<>]*?T[jJ]|[-\d. ]*<|[-\d. ]*\])")
_ONE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")

Table = dict[int, str]


def page_texts(pdf: bytes) -> list[str]:
    """The text of every page, without any white space."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    return [_page(body, objects) for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]


def _page(body: bytes, objects: dict[int, bytes]) -> str:
    resources = _referred(body, rb"/Resources", objects)
    fonts = {name: _table(objects[int(n)], objects) for name, n in re.findall(rb"/(F\d+) (\d+) 0 R", resources)}
    contents = re.search(rb"/Contents (\d+) 0 R", body)
    assert contents is not None, "a page without contents"
    table: Table = {}
    text = []
    for font, glyphs in _SHOWN.findall(_stream(objects[int(contents[1])])):
        if font:
            table = fonts[font]
        else:
            text += [table.get(int(glyphs[i : i + 4], 16), "\ufffd") for i in range(0, len(glyphs), 4)]
    return "".join("".join(text).split())


def _referred(body: bytes, key: bytes, objects: dict[int, bytes]) -> bytes:
    found = re.search(key + rb" (\d+) 0 R", body)
    return body if found is None else objects[int(found[1])]


def _table(font: bytes, objects: dict[int, bytes]) -> Table:
    """From glyph number to characters."""
    reference = re.search(rb"/ToUnicode (\d+) 0 R", font)
    if reference is None:
        return {}
    table: Table = {}
    for kind, block in re.findall(rb"beginbf(char|range)(.*?)endbf", _stream(objects[int(reference[1])]), re.S):
        if kind == b"char":
            table |= {int(glyph, 16): _characters(text) for glyph, text in _ONE.findall(block)}
            continue
        for first, last, text in _RANGE.findall(block):
            start = int(text, 16)
            table |= {int(first, 16) + i: chr(start + i) for i in range(int(last, 16) - int(first, 16) + 1)}
    return table


def _characters(text: bytes) -> str:
    return bytes.fromhex(text.decode("ascii")).decode("utf-16-be")


def _stream(body: bytes) -> bytes:
    found = _STREAM.search(body)
    assert found is not None, "an object without a stream"
    return zlib.decompress(found[1]) if b"/FlateDecode" in body[: found.start()] else found[1]
