"""Pictures of all pages for people: `python -m tests.browser.look FOLDER` writes PNG and PDF files."""

from __future__ import annotations

import sys
from pathlib import Path

from .devtools import MODES, browser_path, start_browser
from .pages import PAGES, write_page

HEIGHT_MAX = 16_000  # pixels of one picture; the browser draws no taller one


def look(folder: Path) -> None:
    """Write every page, its pictures in every mode of the screen, and its print."""
    folder.mkdir(parents=True, exist_ok=True)
    program = browser_path()
    if program is None:
        raise SystemExit("error: chromium was not found\n  hint: Debian: apt install chromium")
    with start_browser(program, ("--hide-scrollbars",)) as browser, browser.page() as page:
        for name in PAGES:
            path = write_page(name, folder)
            for mode in (mode for mode in MODES if mode.medium == "screen"):
                page.show(path, mode)
                height = page.evaluate("Math.ceil(document.documentElement.getBoundingClientRect().height)")
                for number, top in enumerate(range(0, height, HEIGHT_MAX), 1):
                    part = "" if number == 1 else f"-{number}"
                    shot = page.picture(top, min(height - top, HEIGHT_MAX), mode.width)
                    (folder / f"{name}-{mode.name}{part}.png").write_bytes(shot)
            page.call("Emulation.setEmulatedMedia", media="", features=[])
            (folder / f"{name}.pdf").write_bytes(page.pdf())
            print(f"{name}: {path.stat().st_size:,} bytes, {height:,} px at 375 px")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m tests.browser.look FOLDER")
    look(Path(sys.argv[1]))
