"""`python -m tests.docs` writes the generated reference pages."""

from __future__ import annotations

from tests.docs.pages import FOLDER, PAGES

for name, page in PAGES.items():
    (FOLDER / name).write_text(page(), encoding="utf-8")
    print(f"docs/reference/{name}")
