"""The workbench in a real browser: open a film, ask, read, press an evidence number; and what must never happen."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from windows import Window
from workbench import WorkbenchAgent

from ui.chat import launch

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    agent = WorkbenchAgent(tmp_path_factory.mktemp("memory") / "sessions.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        page = launch(agent, agent.settings, port=0, block=False, quiet=True)
        yield page.local_url
        page.close()


def uploads_left() -> list[Path]:
    """What is on the disk of uploaded films; gradio leaves an empty file of a random name for each."""
    files = Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*")
    return [path for path in files if path.is_file() and path.stat().st_size]


def test_question_about_a_film_is_answered_with_evidence_that_can_be_pressed(window: Window, film: Path) -> None:
    page = window.page
    window.saved("empty")
    window.open(film)
    assert "PA as the file says" in page.inner_text("#viewer .caption")
    assert uploads_left() == [], "a film stays in memory, not on the disk of the server"
    window.ask("Is the heart enlarged?")
    window.answered()
    page.wait_for_selector("#state >> text=stub-classifier")
    page.locator("#chat .prose-answer a.cite").first.click()
    cited = page.locator("#chat a.cite.shown").inner_text()
    assert page.inner_text("#details h3").startswith(f"{cited} ·")
    page.wait_for_selector("#viewer .layers img.marks")
    assert page.inner_text("#viewer .legend") == "heart"
    window.saved("answer")
    page.locator("#viewer .choices button", has_text="Film only").click()
    page.wait_for_selector("#viewer .layers img.marks", state="detached")
    window.tab("Findings")
    assert "measured, threshold 0.50" in page.inner_text("#findings table")
    assert window.elsewhere() == []


def test_two_windows_never_see_each_others_films(
    window: Window, windows: Callable[..., Window], visits: list[Path]
) -> None:
    two = windows()
    window.open(visits[0])
    two.ask("What do you see?")
    two.answered()
    assert "no film" in two.page.inner_text("#chat .prose-answer").lower()
    two.open(visits[1])
    assert window.pixels() != two.pixels()
    for each in (window, two):
        assert each.page.locator("#films-list [data-film]").count() == 1, "each window has one film of its own"


def test_refused_file_says_why_in_place(window: Window, tmp_path: Path) -> None:
    path = tmp_path / "holiday.png"
    path.write_text("this is text")
    window.give(path)
    window.page.wait_for_selector("#chat .notice.problem >> text=holiday.png cannot be used.")
    assert "Traceback" not in window.page.inner_text("body")
    assert window.page.locator("#viewer .drop").is_visible()
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
    told = page.inner_text("#chat")
    assert "Film 1: PA · 2020-01-05 · prior" in told and "Film 2: PA · 2021-01-05 · current" in told
    assert "visits.zip!notes.txt cannot be used." in told and "The file is text" in told
    assert "visits.zip!old.dcm (as visits.zip!again.dcm)" in told and str(tmp_path) not in told
    page.wait_for_selector("#films-list [data-film][aria-pressed=true] >> text=2021-01-05 · current")
    assert uploads_left() == []


def test_a_folder_is_opened_as_the_files_in_it(window: Window, visits: list[Path]) -> None:
    window.page.set_input_files("#films-side input[webkitdirectory]", str(visits[0].parent))
    window.page.wait_for_selector("#chat >> text=Film 1: PA · 2020-01-05 · prior")
    assert window.page.locator("#films-list [data-film]").count() == 2
    assert uploads_left() == []


def test_failed_turns_say_so_and_the_next_one_works(window: Window, film: Path) -> None:
    window.open(film)
    for number, (question, said) in enumerate(
        [
            ("unavailable", "Try again, or use --planner embedded."),
            ("fault", "Hilum made a mistake of its own."),
            ("crash", "Hilum made a mistake of its own."),
        ],
        start=1,
    ):
        window.ask(question)
        window.page.wait_for_function("n => document.querySelectorAll('#chat .notice.problem').length >= n", arg=number)
        assert said in window.page.locator("#chat .notice.problem").last.inner_text()
    assert "secret detail of a fault" not in window.page.inner_text("body")
    assert "Traceback" not in window.page.inner_text("body")
    window.ask("Is the heart enlarged?")
    window.answered()


def test_markup_in_an_answer_arrives_as_text_and_fetches_nothing(window: Window, film: Path) -> None:
    window.open(film)
    window.ask("hostile: is the heart enlarged?")
    window.answered()
    assert "<script>document.title=2</script>" in window.page.inner_text("#chat")
    assert window.page.title() == "Hilum"
    assert window.page.locator("#chat .answer img").count() == 0
    assert window.elsewhere() == []


def test_new_conversation_begins_without_the_film(window: Window, film: Path) -> None:
    window.open(film)
    window.page.click("#restart")
    window.page.wait_for_selector("#viewer .drop >> visible=true")
    assert window.page.locator("#films-list [data-film]").count() == 0


def test_file_dropped_anywhere_on_the_page_is_opened(window: Window, film: Path) -> None:
    carried = window.page.evaluate_handle(
        """async (bytes) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], "dropped.dcm"));
            return carried;
        }""",
        list(film.read_bytes()),
    )
    for kind in ("dragenter", "dragover", "drop"):
        window.page.dispatch_event("#viewer .drop", kind, {"dataTransfer": carried})
    window.drawn()


@pytest.mark.parametrize(("button", "said"), [("Allow this call", "left lower zone"), ("Refuse it", "did not run")])
def test_tool_that_needs_approval_waits_for_a_button(window: Window, film: Path, button: str, said: str) -> None:
    page = window.page
    window.open(film)
    window.ask("Where is the effusion?")
    page.wait_for_selector("#chat >> text=It waits for you.")
    window.saved("approval")
    page.locator("#chat button", has_text=button).click()
    window.answered()
    assert said in page.inner_text("#chat")
    assert page.locator("#chat >> text=It waits for you.").count() == 0


def test_report_is_decided_sentence_by_sentence_signed_and_saved(window: Window, film: Path) -> None:
    page = window.page
    window.open(film)
    window.ask("Write a report.")
    window.answered()
    page.wait_for_selector("#report >> text=UNVERIFIED DRAFT")
    page.fill("#report [name=name]", "Dr. Reader")
    page.click("#report form.signing button")
    page.wait_for_selector("text=Not decided yet")
    page.locator("#report [data-change]").first.click()
    page.fill("#report textarea", "Small left effusion.")
    page.keyboard.press("Enter")
    page.wait_for_selector("#report li.changed >> text=Small left effusion.")
    page.locator("#report [data-sentence=S1] a.cite").first.click()
    assert page.locator("#details h3").count()
    window.tab("Report")
    if page.locator("#report button", has_text="Accept the other").count():
        page.locator("#report button", has_text="Accept the other").click()
        page.wait_for_selector("#report li.proposed", state="detached")
    page.fill("#report [name=name]", "Dr. Reader")
    page.click("#report form.signing button")
    page.wait_for_selector("#report >> text=Signed by Dr. Reader")
    window.saved("report")
    with page.expect_download() as saved:
        page.click("#report [data-export=md]")
    text = saved.value.path().read_text(encoding="utf-8")
    assert "Small left effusion." in text and "Signed by Dr. Reader" in text
