"""`python -m ui.screenshots`: docs/images/chat.png, from the real agent and a synthetic film. Needs chromium."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from agent import Agent
from agent.memory import Memory
from agent.settings import Profile, Settings
from imaging.failures import Unavailable
from ui.chat import launch
from ui.chat.examples import EXAMPLES

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "chat.png"
SIZE_PX = {"width": 1366, "height": 768}
PATIENCE_MS = 180_000
EXAMPLE = 2
"""The example that is photographed: a report on an enlarged heart."""


def take(picture: Path = PICTURE) -> Path:
    """Ask the example's question in a real browser, light the measurement, open the draft, and save what is seen."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise Unavailable("chromium is not installed.", "Install the Debian package chromium.")
    settings = Settings(planner="embedded", profile=Profile.EMBEDDED)
    memory = Memory(Path(tempfile.mkdtemp(prefix="hilum-")) / "sessions.db")
    served = launch(Agent(settings, memory=memory), settings, port=0, block=False, quiet=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE_PX)  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE_MS)
        page.goto(served.local_url or "")
        page.wait_for_selector("#state .research")
        page.get_by_text(EXAMPLES[EXAMPLE].question).first.click()
        page.wait_for_selector("#chat .signature")
        page.locator("#viewer .choices button:not(.bare)", has_text="Measure").click()
        page.wait_for_selector("#viewer .layers img")
        page.get_by_role("tab", name="Report").click()
        page.wait_for_timeout(1000)
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(picture))
        browser.close()
    served.close()
    return picture


if __name__ == "__main__":
    take()
