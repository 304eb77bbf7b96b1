"""The report pages in a real browser: readable for everyone, on a phone, on paper, offline and without script.

Each check is also given a page that must fail it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from rebalancer.report.period.page import edition_pages
from tests.report.html_tree import parse

from .devtools import MODES, Mode, Page
from .pages import PAGES, history
from .pdf import page_texts

LIGHT, PHONE, PRINT = Mode("light", 1100, "light"), Mode("phone", 375, "light"), Mode("print", 696, "light", "print")
NODES_MAX = 20_000  # a page of a hundred names with all its rows, most of them folded
SAME_PARTS = {"rich": "day", "full_index": "index"}  # pages that differ in amounts only
PRINTED = "h1, h2, .lead, .aside, caption:not(.hide), figcaption, .needs li, summary, footer p"

RUN_AXE = """axe.run(document, {resultTypes: ['violations'],
  rules: {'target-size': {enabled: matchMedia('screen').matches}}}).then(found => ({
  passes: found.passes.length,
  violations: found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target}: ${n.failureSummary}`)),
}))"""

WIDER_THAN_ITS_PLACE = """(() => {
  const wide = document.documentElement.clientWidth;
  const found = document.documentElement.scrollWidth > wide ? ['the document'] : [];
  for (const e of document.querySelectorAll('body *')) {
    const scroll = e.closest('.scroll'), box = e.getBoundingClientRect(), style = getComputedStyle(e);
    const head = e.closest('thead');
    if (e.closest('.hide, .skip, svg, .pic, .key, .need') || !box.width || style.display === 'inline') continue;
    if (head && getComputedStyle(head).position === 'absolute') continue;  // the labels stand in the cells
    const name = `${e.tagName} ${e.className}: ${e.textContent.slice(0, 60)}`;
    if (!scroll && box.right > wide + 0.5) found.push('out of the window: ' + name);
    if (e !== scroll && style.overflowX === 'visible' && e.scrollWidth > e.clientWidth + 1 && e.clientWidth
        && !e.querySelector('.out')) found.push('text spills: ' + name);
  }
  for (const t of document.querySelectorAll('table')) {
    const region = t.closest('.scroll');
    if (!region || (getComputedStyle(region).overflowX !== 'auto' && matchMedia('screen').matches)) {
      found.push('no scroll region: ' + t.caption.textContent);
    }
  }
  return found;
})()"""

TABLES_WIDER_THAN_PAPER = """[...document.querySelectorAll('.scroll')]
  .filter(s => s.scrollWidth > s.clientWidth + 1 || s.getBoundingClientRect().right > innerWidth + 1)
  .map(s => s.getAttribute('aria-label'))"""

LABELS_THAT_TOUCH = """[...document.querySelectorAll('.pic .x, .pic .y, .pic .e')].flatMap(axis => {
  const box = e => e.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  const shown = [...axis.querySelectorAll('span')].filter(e => box(e).width);
  const touching = shown.flatMap((a, i) => shown.slice(i + 1).filter(b =>
    box(a).right > box(b).left && box(b).right > box(a).left
    && box(a).bottom > box(b).top + 1 && box(b).bottom > box(a).top + 1).map(b => [a, b]));
  const outside = shown.filter(e => box(e).left < 0 || box(e).right > wide).map(e => [e, e]);
  return [...touching, ...outside].map(([a, b]) => `${a.textContent} and ${b.textContent}`);
})"""

WIDE_TABLES_WITH_REASONS = """[...document.querySelectorAll('.scroll')]
  .filter(s => s.querySelector('td.w, .meter') && s.scrollWidth > s.clientWidth + 1)
  .map(s => s.getAttribute('aria-label'))"""

COLOURED = """[...document.querySelectorAll('.ok, .warn, .bad')].map(e => e.textContent.trim()).filter(t => t)"""


@pytest.fixture(params=PAGES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def axe_report(tab: Page, path: Path, mode: Mode, axe: str) -> dict[str, Any]:
    tab.call("Page.setBypassCSP", enabled=True)  # for the checker only
    tab.show(path, mode)
    tab.evaluate(axe + ";0")
    report: dict[str, Any] = tab.evaluate(RUN_AXE)
    return report


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@pytest.mark.parametrize("name", [name for name in PAGES if name not in SAME_PARTS])
def test_accessible(tab: Page, files: dict[str, Path], axe: str, name: str, mode: Mode) -> None:
    report = axe_report(tab, files[name], mode, axe)
    assert report["violations"] == []
    assert report["passes"] >= 20


def test_no_request_but_the_file_even_without_its_policy(tab: Page, files: dict[str, Path], name: str) -> None:
    html = files[name].read_text()
    open_file = files[name].with_name(f"{name}-without-policy.html")
    open_file.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html))
    assert len(open_file.read_text()) < len(html)
    for path in (files[name], open_file):
        tab.show(path, LIGHT)
        assert tab.requests() == [path.as_uri()]
        assert tab.evaluate("performance.getEntriesByType('resource').length") == 0


def test_same_text_without_script(tab: Page, files: dict[str, Path], name: str) -> None:
    tab.show(files[name], LIGHT)
    with_script = tab.evaluate("document.body.innerText")
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.show(files[name], LIGHT)
    assert tab.evaluate("document.body.innerText") == with_script
    assert squeezed(next(parse(files[name].read_text()).all("h1")).text) in squeezed(with_script)


def test_nothing_is_wider_than_its_place(tab: Page, files: dict[str, Path], name: str) -> None:
    tab.show(files[name], LIGHT)
    for width in (1100, 768, 375, 320):
        tab.look(Mode("", width, "light"))
        assert tab.evaluate(WIDER_THAN_ITS_PLACE) == [], width


@pytest.mark.parametrize("days", [2, 5, 40, 90, 150, 180, 250, 500, 756, 2000, 2600])
def test_labels_of_the_axes_stay_apart(tab: Page, tmp_path: Path, days: int) -> None:
    path = tmp_path / "history.html"
    path.write_text(edition_pages(history(days)).page)
    tab.show(path, LIGHT)
    for mode in (LIGHT, PHONE, PRINT):
        tab.look(mode)
        assert tab.evaluate(LABELS_THAT_TOUCH) == [], mode.name
    assert tab.evaluate("document.querySelectorAll('.pic .x span').length") >= 4


@pytest.mark.parametrize("name", ["cycle", "day", "month", "wide", "rich"])
def test_labels_of_every_chart_stay_apart(tab: Page, files: dict[str, Path], name: str) -> None:
    tab.show(files[name], LIGHT)
    for mode in (LIGHT, Mode("", 861, "light"), PHONE, Mode("", 320, "light"), PRINT):
        tab.look(mode)
        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert tab.evaluate(LABELS_THAT_TOUCH) == [], mode


@pytest.mark.parametrize("name", ["cycle", "day"])
def test_verdict_alarms_and_chart_are_on_the_first_screen_of_a_phone(
    tab: Page, files: dict[str, Path], name: str
) -> None:
    tab.show(files[name], PHONE)
    for place in (".status", ".lead", "#attention summary", "#plot-equity .p"):
        assert tab.evaluate(f"document.querySelector('{place}').getBoundingClientRect().bottom") <= 812, place


@pytest.mark.parametrize("name", ["cycle", "dry_run", "day", "month", "wide", "rich"])
def test_reasons_and_bars_need_no_sideways_search(tab: Page, files: dict[str, Path], name: str) -> None:
    tab.show(files[name], PHONE)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.evaluate(WIDE_TABLES_WITH_REASONS) == []


def squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def test_print_keeps_every_row_whole(tab: Page, files: dict[str, Path], name: str) -> None:
    tab.show(files[name], PRINT)
    assert tab.evaluate(TABLES_WIDER_THAN_PAPER) == []
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    tab.evaluate("document.querySelectorAll('.data').forEach(d => d.remove())")  # of a chart the picture is printed
    rows = tab.evaluate("[...document.querySelectorAll('tbody tr, tfoot tr')].map(r => r.innerText)")
    blocks = tab.evaluate(f"[...document.querySelectorAll('{PRINTED}')].map(b => b.innerText)")
    tab.show(files[name], PRINT)
    tab.call("Emulation.setEmulatedMedia", media="", features=[])
    pages = [squeezed(text) for text in page_texts(tab.pdf())]
    assert len(pages) >= 1
    assert [row for row in rows if not any(squeezed(row) in page for page in pages)] == []
    assert [block for block in blocks if not any(squeezed(block) in page for page in pages)] == []


def test_small_enough_to_open_at_once(tab: Page, files: dict[str, Path], name: str) -> None:
    tab.show(files[name], LIGHT)
    assert tab.evaluate("document.querySelectorAll('*').length") <= NODES_MAX
    milliseconds = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"{name}: loaded in {milliseconds:.0f} ms")


def test_colour_is_never_alone(tab: Page, files: dict[str, Path], name: str) -> None:
    tab.show(files[name], LIGHT)
    texts = tab.evaluate(COLOURED)
    assert len(texts) >= 2 or name == "data"  # numbers alone
    assert [text for text in texts if text[0] not in "✔✘▲▼■○◐?!=+−"] == []


BROKEN = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>x</title>
<body style="margin:0"><img src="http://127.0.0.1:9/x.png"><p class="bad" style="color:#ccc">alone</p>
<script>document.body.append('script')</script>
<table><caption>wide</caption><tr><td><p style="width:900px">x</p></table>
<div class="pic"><div class="x"><span style="position:absolute">2024</span><span style="position:absolute">2025</span>
</div></div></body></html>"""


def test_a_page_that_breaks_the_rules_is_found_out(tab: Page, tmp_path: Path, axe: str) -> None:
    path = tmp_path / "broken.html"
    path.write_text(BROKEN)
    rules = {text.split(":")[0] for text in axe_report(tab, path, PHONE, axe)["violations"]}
    assert {"color-contrast", "image-alt", "landmark-one-main"} <= rules
    assert tab.requests() == [path.as_uri(), "http://127.0.0.1:9/x.png"]
    assert "no scroll region: wide" in tab.evaluate(WIDER_THAN_ITS_PLACE)
    assert tab.evaluate(LABELS_THAT_TOUCH) == ["2024 and 2025"]
    assert tab.evaluate(COLOURED) == ["alone"]
    assert "script" in tab.evaluate("document.body.innerText")
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.show(path, PHONE)
    assert "script" not in tab.evaluate("document.body.innerText")


def test_the_lock_file_names_no_registry() -> None:
    """The package comes from whatever registry npm is set up with; its integrity hash is fixed."""
    packages = json.loads((Path(__file__).parent / "js" / "package-lock.json").read_text())["packages"]
    assert {name: (row["version"], sorted(row)) for name, row in packages.items() if name} == {
        "node_modules/axe-core": ("4.14.1", ["engines", "integrity", "license", "version"])
    }
