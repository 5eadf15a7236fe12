"""The workbench beside a PACS and a watch: studies searched, opened and reported back, the queue shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pydicom
import pytest
from windows import Window
from workbench import WorkbenchAgent

from imaging.pacs import Found, Query
from imaging.pacs.connection import PacsFailed
from ui.chat import launch
from ui.watch.queue import Queue

pytestmark = pytest.mark.browser


class StubPacs:
    """One study of two films; keeps what is stored, unless it is away."""

    def __init__(self, files: list[Path]) -> None:
        self.address = "dicom://STUB@pacs:104"
        self.datasets = [pydicom.dcmread(path) for path in files]
        self.asked: list[Query] = []
        self.away = False
        self.stored: list[pydicom.Dataset] = []

    def find(self, query: Query) -> list[Found]:
        self.asked.append(query)
        found = [Found("1.2.3", "PHANTOM-<1>", "A7", "20210105", "Chest PA", ("DX",))]
        return found if query.patient_id == "PHANTOM-1" else []

    def instances(self, study: str, modalities: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        return [("1.2.3.4", each.SOPInstanceUID) for each in self.datasets]

    def get(self, study: str, series: str = "", instance: str = "") -> Iterator[pydicom.Dataset]:
        return iter(self.datasets)

    def echo(self) -> None: ...

    def store(self, datasets: Iterable[pydicom.Dataset]) -> int:
        if self.away:
            raise PacsFailed("The PACS STUB at pacs:104 cannot be reached.", "Is it running?")
        given = list(datasets)
        self.stored += given
        return len(given)


@pytest.fixture(scope="module")
def pacs(visits: list[Path]) -> StubPacs:
    return StubPacs(visits)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, visits: list[Path], pacs: StubPacs) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("watched")
    agent = WorkbenchAgent(folder / "sessions.db")
    session = agent.session()
    session.add(visits[1])
    session.ask("Is the heart enlarged?")
    queue = Queue(folder / "watch")
    for uid in ("1.2.1", "1.2.2"):
        queue.put(uid, b"film")
    first = queue.due()
    assert first is not None
    queue.keep_results(first, {}, session.id)
    queue.done(first)
    queue.close()
    settings = agent.settings.model_copy(update={"state_dir": folder})
    page = launch(agent, settings, port=0, pacs=[pacs], block=False, quiet=True)
    yield page.local_url
    page.close()


def test_study_is_searched_for_and_its_films_are_opened(window: Window) -> None:
    page = window.page
    window.tab("PACS")
    page.fill("#studies [name=patient]", "nobody")
    page.click("#studies form button")
    page.wait_for_selector("#studies >> text=No study with films")
    page.fill("#studies [name=patient]", "")
    page.click("#studies form button")
    page.wait_for_selector("text=Nothing to look for was given")
    page.fill("#studies [name=patient]", "PHANTOM-1")
    page.click("#studies form button")
    page.wait_for_selector("#studies td >> text=PHANTOM-<1>")
    page.locator("#studies td button").click()
    window.drawn()
    assert page.locator("#films-list [data-film]").count() == 2


def test_worklist_shows_the_queue_and_opens_a_kept_reading(window: Window) -> None:
    page = window.page
    window.tab("Worklist")
    assert "1 waiting to be read · 1 read and sent" in page.inner_text("#worklist .standing")
    assert "1.2.1" not in page.inner_text("#worklist"), "no UID is shown"
    page.locator("#worklist td button", has_text="Open").click()
    window.answered()
    window.drawn()


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1366, 768), ("dark", 820, 1180)])
def test_axe_finds_nothing_serious_in_pacs_and_worklist(
    windows: Callable[..., Window], scheme: str, width: int, height: int
) -> None:
    window = windows(width=width, height=height, color_scheme=scheme)
    page = window.page
    window.tab("PACS")
    page.fill("#studies [name=patient]", "PHANTOM-1")
    page.click("#studies form button")
    page.wait_for_selector("#studies td >> text=PHANTOM-<1>")
    page.wait_for_timeout(600)  # gradio fades colours over
    assert window.serious() == []
    window.saved(f"pacs-{scheme}-{width}")
    window.tab("Worklist")
    page.wait_for_selector("#worklist table")
    page.wait_for_timeout(600)
    assert window.serious() == []
    window.saved(f"worklist-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    window.last_line_is_seen()


def test_signed_report_of_fetched_films_goes_back_to_the_pacs_once(window: Window, pacs: StubPacs) -> None:
    page = window.page
    window.tab("PACS")
    page.fill("#studies [name=patient]", "PHANTOM-1")
    page.click("#studies form button")
    page.locator("#studies td button").click()
    window.drawn()
    window.ask("Write a report. Outline the heart.")
    window.answered()
    window.tab("Report")
    assert page.locator("#report .sending button").is_disabled(), "nobody has signed"
    assert "Only a signed report is sent." in page.inner_text("#report .sending")
    page.locator("#report button", has_text="Accept the other").click()
    page.wait_for_selector("#report li.proposed", state="detached")
    page.fill("#report [name=name]", "Dr. Reader")
    page.click("#report form.signing button")
    page.wait_for_selector("#report >> text=Signed by Dr. Reader")
    assert pacs.stored == [], "nothing is sent but by a press"
    pacs.away = True
    page.click("#report .sending button")
    page.wait_for_selector("#report .sending .problem >> text=cannot be reached")
    pacs.away = False
    page.click("#report .sending button")
    page.wait_for_selector("#report ul.sent >> text=Sent to dicom://STUB@pacs:104")
    page.wait_for_timeout(600)  # gradio fades colours over, and its messages
    window.saved("sent")
    assert window.serious("#report") == []
    window.last_line_is_seen()
    assert {each.Modality for each in pacs.stored} == {"SR", "SEG"}
    assert {each.StudyInstanceUID for each in pacs.stored} == {pacs.datasets[-1].StudyInstanceUID}, "not in the prior's"
    assert {each.get("VerificationFlag") for each in pacs.stored if each.Modality == "SR"} == {"VERIFIED"}
    there = len(pacs.stored)
    page.click("#report .sending button")
    page.wait_for_selector("#report .sending .problem >> text=has these already")
    assert len(pacs.stored) == there
