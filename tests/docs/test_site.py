"""The site: built strictly from the pages as they stand, whole, linked without a gap, searchable, loading nothing from
elsewhere."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "signals/README.md")
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class PageParser(HTMLParser):
    """The ids of a page, where its links go, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.links, self.loaded = set[str](), list[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id":
                self.ids.add(value)
            if (tag, name) in LOADED:
                self.loaded.append(value)
            if (tag, name) == ("a", "href"):
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = ["-W", "--keep-going", "-q", "-b", "html", "-c", "docs/site", "-d", str(folder / "trees"), "."]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, str(folder / "html")], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


def test_every_page_is_in_it_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {path.relative_to(site).as_posix(): PageParser(path.read_text()) for path in site.rglob("*.html")}
    written = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert {f"{name.removesuffix('.md')}.html" for name in (*written, *TOP)} <= pages.keys()
    linked = set()
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (site / name).parent.joinpath(unquote(parts.path)).resolve() if parts.path else site / name
            assert target.exists(), f"{name} links to {link}"
            to = target.relative_to(site).as_posix()
            linked.add(to)
            if parts.fragment and to in pages:
                assert unquote(parts.fragment) in pages[to].ids, f"{name} links to {link}"
    assert pages.keys() - linked <= {"index.html", "search.html", "genindex.html"}


def test_it_loads_nothing_from_elsewhere_and_can_be_searched(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert not [url for url in PageParser(path.read_text()).loaded if urlsplit(url).netloc], path.name
    for path in site.rglob("*.css"):
        assert "url(http" not in path.read_text(), path.name
        assert "@import" not in path.read_text(), path.name
    index = (site / "searchindex.js").read_text()
    for word in ("Run the rules over history", "docs/how-to/evidence", "docs/reference/limits"):
        assert word in index
