"""The chat in a real browser: drop a film, ask, watch, read, press an evidence number; and what must never happen."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fake_agent import FakeAgent

from agent.settings import Settings
from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from imaging.phantom.files import dataset
from ui.chat import launch

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SCREENS = Path(__file__).resolve().parents[2] / "out" / "screens"
PATIENCE_MS = 60_000
"""How long a step may take on a busy machine."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).is_file(), reason="chromium is not installed (Debian package chromium)"),
]


@pytest.fixture(scope="module")
def agent() -> FakeAgent:
    return FakeAgent(Settings(device="cpu"))


@pytest.fixture(scope="module")
def address(agent: FakeAgent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        page = launch(agent, agent.settings, port=0, block=False, quiet=True)  # type: ignore[arg-type]
        yield page.local_url
        page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("films")
    paths = [folder / "one.dcm", folder / "two"]
    for seed, path in enumerate(paths):
        phantom = make_phantom(PhantomSpec(seed=seed, findings=(parse_finding("effusion:left:600ml"),)))
        phantom.write_dicom(str(path))
    return paths


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two visits of one patient, a year apart."""
    folder = tmp_path_factory.mktemp("visits")
    paths = [folder / "old.dcm", folder / "new.dcm"]
    for year, path in zip((2020, 2021), paths, strict=True):
        visit = dataset(make_phantom(PhantomSpec(seed=year, size=256)))
        visit.PatientID = "1"
        visit.StudyDate = visit.SeriesDate = visit.ContentDate = visit.AcquisitionDate = f"{year}0105"
        visit.save_as(path, enforce_file_format=True)
    return paths


class Window:
    """One browser window with the chat open, remembering every address it asked."""

    def __init__(self, browser: Any, address: str, **look: Any) -> None:
        self.page = browser.new_context(viewport={"width": 1366, "height": 768}, **look).new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("#state .research")

    def open(self, path: Path) -> None:
        self.page.set_input_files("#chat-side input[type=file]", str(path))

    def ask(self, question: str) -> None:
        self.page.fill("#question textarea", question)
        self.page.press("#question textarea", "Enter")

    def shown(self, evidence: str) -> None:
        self.page.wait_for_selector(f"#viewer .stage > img[alt*='with {evidence}:']")

    def saved(self, name: str) -> None:
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SCREENS / f"{name}.png"))

    def elsewhere(self) -> list[str]:
        """Addresses beyond this machine that were asked."""
        return [
            url
            for url in self.asked
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname not in ("127.0.0.1", "localhost")
        ]


@pytest.fixture
def window(browser: Any, address: str) -> Iterator[Window]:
    opened = Window(browser, address)
    yield opened
    opened.page.context.close()


def uploads_left() -> list[Path]:
    """What is on the disk of uploaded films; gradio leaves an empty file of a random name for each."""
    files = Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*")
    return [path for path in files if path.is_file() and path.stat().st_size]


def test_question_about_a_dropped_film_is_answered_with_evidence_that_can_be_pressed(
    window: Window, films: list[Path]
) -> None:
    page = window.page
    window.saved("empty")
    window.open(films[0])
    page.wait_for_selector("#viewer .stage > img")
    assert "PA as the file says" in page.inner_text("#viewer .caption")
    assert uploads_left() == [], "a film stays in memory, not on the disk of the server"
    window.ask("Is there an effusion?")
    page.wait_for_selector("#chat >> text=Running …")
    window.saved("steps")
    page.wait_for_selector("#chat table.findings")
    page.wait_for_selector("#state >> text=fake-classifier, fake-segmenter")
    assert page.locator("#chat >> text=E4 · Compare with a prior film · could not answer").count()
    bare = page.get_attribute("#viewer .stage > img", "src")
    page.locator("#chat .prose-answer a.cite", has_text="E2").first.click()
    window.shown("E2")
    assert page.get_attribute("#viewer .stage > img", "src") != bare
    page.wait_for_timeout(400)
    window.saved("answer")
    page.locator("#chat table.findings a.cite", has_text="E3").focus()
    page.keyboard.press("Enter")
    window.shown("E3")
    page.locator("#viewer button", has_text="Film only").click()
    page.wait_for_selector("#viewer button[data-evidence=''][aria-pressed=true]")
    assert window.elsewhere() == []


def test_two_windows_never_see_each_others_films(browser: Any, address: str, films: list[Path]) -> None:
    one, two = Window(browser, address), Window(browser, address)
    one.open(films[0])
    one.page.wait_for_selector("#viewer .stage > img")
    two.ask("What do you see?")
    two.page.wait_for_selector("#chat >> text=There is no film in this conversation.")
    two.open(films[1])
    two.page.wait_for_selector("#viewer .stage > img")
    pictures = [w.page.get_attribute("#viewer .stage > img", "src") for w in (one, two)]
    assert pictures[0] != pictures[1]
    for each in (one, two):
        assert each.page.locator("#viewer .films button").count() == 0, "each window has one film of its own"
        each.page.context.close()


def test_refused_file_says_why_in_place(window: Window, tmp_path: Path) -> None:
    path = tmp_path / "holiday.png"
    path.write_text("this is text")
    window.open(path)
    window.page.wait_for_selector("#chat .notice.problem >> text=holiday.png cannot be used.")
    assert "Traceback" not in window.page.inner_text("body")
    assert window.page.locator("#viewer .drop").count() == 1
    assert uploads_left() == []


def test_a_zip_with_two_visits_shows_the_current_film_and_tells_of_every_file(
    window: Window, visits: list[Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "visits.zip", "w") as archive:
        for path in visits:
            archive.write(path, path.name)
        archive.write(visits[0], "again.dcm")
        archive.writestr("notes.txt", "this is text")
    window.open(tmp_path / "visits.zip")
    page = window.page
    page.wait_for_selector("#viewer .films button")
    told = page.inner_text("#chat")
    assert "Film 1: PA · 2020-01-05 · prior" in told and "Film 2: PA · 2021-01-05 · current" in told
    assert "visits.zip!notes.txt cannot be used." in told and "The file is text" in told
    assert "visits.zip!old.dcm (as visits.zip!again.dcm)" in told and str(tmp_path) not in told
    assert page.inner_text("#viewer .films button[aria-pressed=true]").endswith("2021-01-05 · current")
    assert uploads_left() == []


def test_a_folder_is_opened_as_the_files_in_it(window: Window, visits: list[Path]) -> None:
    window.page.set_input_files("#chat-side input[webkitdirectory]", str(visits[0].parent))
    window.page.wait_for_selector("#chat >> text=Film 1: PA · 2020-01-05 · prior")
    assert window.page.locator("#viewer .films button").count() == 2
    assert uploads_left() == []


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("unavailable", "Try again, or use --planner embedded."),
        ("fault", "Hilum made a mistake of its own."),
        ("crash", "Hilum made a mistake of its own."),
    ],
)
def test_failed_turn_says_so_and_the_next_one_works(
    window: Window, films: list[Path], question: str, said: str
) -> None:
    window.open(films[0])
    window.page.wait_for_selector("#viewer .stage > img")
    window.ask(question)
    window.page.wait_for_selector(f"#chat .notice.problem >> text={said}")
    assert "secret detail of a fault" not in window.page.inner_text("body")
    assert "Traceback" not in window.page.inner_text("body")
    window.ask("Is there an effusion?")
    window.page.wait_for_selector("#chat table.findings")


def test_markup_in_an_answer_arrives_as_text_and_fetches_nothing(window: Window, films: list[Path]) -> None:
    window.open(films[0])
    window.page.wait_for_selector("#viewer .stage > img")
    window.ask("hostile")
    window.page.wait_for_selector("#chat table.findings")
    assert "<script>document.title=2</script>" in window.page.inner_text("#chat")
    assert window.page.title() == "Hilum"
    assert window.page.locator("#chat .answer img").count() == 0
    assert window.elsewhere() == []


def test_example_makes_a_film_and_asks_about_it(window: Window) -> None:
    window.page.get_by_text("Is the heart enlarged?").first.click()
    window.page.wait_for_selector("#viewer .stage > img")
    window.page.wait_for_selector("#chat table.findings")


def test_new_conversation_forgets_the_film(window: Window, films: list[Path]) -> None:
    window.open(films[0])
    window.page.wait_for_selector("#viewer .stage > img")
    window.page.click("#restart")
    window.page.wait_for_selector("#viewer .drop")
    window.ask("What do you see?")
    window.page.wait_for_selector("#chat >> text=There is no film in this conversation.")


def test_file_dropped_anywhere_on_the_page_is_opened(window: Window, films: list[Path]) -> None:
    carried = window.page.evaluate_handle(
        """async (bytes) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], "dropped.dcm"));
            return carried;
        }""",
        list(films[0].read_bytes()),
    )
    for kind in ("dragenter", "dragover", "drop"):
        window.page.dispatch_event("#viewer .drop", kind, {"dataTransfer": carried})
    window.page.wait_for_selector("#viewer .stage > img")


@pytest.mark.parametrize(("button", "ran"), [("Allow this call", True), ("Refuse it", False)])
def test_tool_that_needs_approval_waits_for_a_button(window: Window, films: list[Path], button: str, ran: bool) -> None:
    page = window.page
    window.open(films[0])
    page.wait_for_selector("#viewer .stage > img")
    window.ask("approve")
    page.wait_for_selector("#chat >> text=It waits for you.")
    assert page.locator("#chat >> text=E1 · Classify findings").count()
    page.locator("#chat button", has_text=button).scroll_into_view_if_needed()
    window.saved("approval")
    page.locator("#chat button", has_text=button).click()
    page.wait_for_selector("#chat >> text=left pleural effusion" if ran else "#chat >> text=was not allowed to run")
    assert page.locator("#chat >> text=It waits for you.").count() == 0
