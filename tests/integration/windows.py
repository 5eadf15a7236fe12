"""A browser window with the workbench open, remembering every address it asked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SCREENS = Path(__file__).resolve().parents[2] / "out" / "screens"
SERIOUS = ("serious", "critical")
"""Impacts of axe-core's violations that may not be."""
PATIENCE_MS = 45_000
"""How long a step may take on a busy machine."""


class Window:
    """One browser window; `page` is playwright's."""

    def __init__(
        self,
        browser: Any,
        address: str,
        width: int = 1366,
        height: int = 768,
        login: tuple[str, str] | None = None,
        **look: Any,
    ) -> None:
        self.page = browser.new_context(viewport={"width": width, "height": height}, **look).new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(address)
        if login:
            self.page.get_by_label("username").fill(login[0])
            self.page.get_by_label("password").fill(login[1])
            self.page.get_by_role("button", name="Login").click()
        self.page.wait_for_selector("#state .research")

    def open(self, path: Path) -> None:
        """Open a film and wait until it is drawn."""
        self.give(path)
        self.drawn()

    def give(self, path: Path) -> None:
        self.page.set_input_files("#films-side input[type=file]:not([webkitdirectory])", str(path))

    def drawn(self, evidence: str = "") -> None:
        """Wait until the film, with an evidence, is on the stage."""
        self.page.wait_for_selector(f"#viewer .stage[data-drawn{f'$={evidence}' if evidence else ''}]")

    def ask(self, question: str) -> None:
        self.page.fill("#question textarea", question)
        self.page.press("#question textarea", "Enter")

    def answered(self, number: int = 1) -> None:
        """Wait for so many answers."""
        self.page.wait_for_function("n => document.querySelectorAll('#chat .signature').length >= n", arg=number)

    def cite(self, evidence: str) -> None:
        self.page.locator("#chat .prose-answer a.cite", has_text=evidence).first.click()
        self.drawn(evidence)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def pixels(self) -> int:
        """A checksum of what is drawn on the stage."""
        return int(self.page.evaluate(
            "() => { const c = [...document.querySelectorAll('#viewer canvas')].pop();"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "let sum = 0; for (let i = 0; i < d.length; i += 4) sum = (sum * 31 + d[i]) % 1000003; return sum; }"
        ))  # fmt: skip

    def saved(self, name: str) -> None:
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SCREENS / f"{name}.png"))

    def last_line_is_seen(self) -> None:
        """What Hilum is not stands within the window, and nothing lies over it."""
        assert self.page.evaluate(
            "() => { const line = document.querySelector('#state .research'), box = line.getBoundingClientRect();"
            "const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);"
            "return box.bottom <= innerHeight && Boolean(top) && line.contains(top); }"
        )

    def serious(self, within: str = "") -> list[str]:
        """What axe finds that is serious or critical, in all or in one part; skips where axe is not installed."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        violations = axe.run(self.page, within or None).response["violations"]
        return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in violations if v["impact"] in SERIOUS]

    def elsewhere(self) -> list[str]:
        """Addresses beyond this machine that were asked."""
        return [
            url
            for url in self.asked
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname not in ("127.0.0.1", "localhost")
        ]

    def close(self) -> None:
        """Close it; no script of the page may have failed."""
        self.page.context.close()
        assert self.faults == []
