"""The picture of the README: `python -m tests.browser.picture` plays the demo and takes it from its page.

The picture carries the digest of the page of the tests' own sample day, so that a test notices when pages have changed
since (`tests/report/period/test_picture.py`).
"""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from rebalancer.report.period.page import edition_html
from tests.report.period.sample import edition

from .devtools import Mode, Page, browser_path, start_browser

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "pictures" / "day-report.png"
WIDTH, HEIGHT = 1100, 1280
LIGHT = Mode("picture", WIDTH, "light")
KEY = b"page\0"


def digest() -> str:
    """The SHA-256 of the page of the sample day, as the program writes it now."""
    return hashlib.sha256(edition_html(edition()).encode()).hexdigest()


def digest_in(picture: bytes) -> str:
    """The digest that a picture carries, "" when it has none."""
    found = picture.find(b"tEXt" + KEY)
    return "" if found < 0 else picture[found + 4 + len(KEY) :][:64].decode("ascii", "replace")


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels."""
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def take(tab: Page, page: Path) -> bytes:
    """The upper part of a page in light colours, with the digest of today's page."""
    tab.show(page, LIGHT)
    shot = tab.picture(0, HEIGHT, WIDTH)
    body = b"tEXt" + KEY + digest().encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    end = shot.rindex(b"IEND") - 4
    return shot[:end] + chunk + shot[end:]


def demo_page(folder: Path) -> Path:
    """Play the demo with state and reports in a folder, and return its page."""
    environ = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": str(ROOT)}
    for name in ("config", "signals"):
        (folder / name).symlink_to(ROOT / name)
    subprocess.run([sys.executable, "-m", "rebalancer", "demo"], cwd=folder, env=environ, check=True)
    (page,) = (folder / "reports" / "demo").glob("*/*_day.html")
    return page


def main() -> None:
    """Take the picture anew."""
    program = browser_path()
    if program is None:
        raise SystemExit("error: chromium was not found\n  hint: Debian: apt install chromium")
    with tempfile.TemporaryDirectory() as place, start_browser(program, ("--hide-scrollbars",)) as browser:
        page = demo_page(Path(place))
        with browser.page() as tab:
            PICTURE.write_bytes(take(tab, page))
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
