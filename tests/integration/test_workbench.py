"""Journeys through the workbench: stop, reload, history, viewer, keyboard, small screens, too large a file, axe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from windows import Window
from workbench import WorkbenchAgent

from agent.planner.marks import marks_in
from ui.chat import launch, viewer
from ui.chat.serve import MAX_UPLOAD_MB

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> WorkbenchAgent:
    return WorkbenchAgent(tmp_path_factory.mktemp("memory") / "sessions.db")


@pytest.fixture(scope="module")
def address(agent: WorkbenchAgent) -> Iterator[str]:
    page = launch(agent, agent.settings, port=0, block=False, quiet=True)
    yield page.local_url
    page.close()


def dragged(window: Window, mode: str, across: float, down: float) -> None:
    """Drag from the middle of the stage by shares of its size."""
    window.page.click(f"#viewer button[data-mode={mode}]")
    box = window.page.locator("#viewer .stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    window.page.mouse.move(x, y)
    window.page.mouse.down()
    window.page.mouse.move(x + across * box["width"], y + down * box["height"], steps=4)
    window.page.mouse.up()


def test_stop_ends_the_answer_with_what_is_known_and_the_next_question_works(window: Window, film: Path) -> None:
    window.open(film)
    window.ask("slow: is the heart enlarged?")
    window.page.wait_for_selector("#chat >> text=Running …")
    window.page.get_by_role("button", name="Stop").click()
    window.page.wait_for_selector("#chat .notice >> text=Stopped early.")
    window.ask("Is the heart enlarged?")
    window.answered(2)


def test_reload_in_mid_answer_loses_nothing_and_the_answer_arrives(window: Window, film: Path) -> None:
    window.open(film)
    window.ask("slow: is the heart enlarged?")
    window.page.wait_for_selector("#chat >> text=Running …")
    window.page.reload()
    window.page.wait_for_selector("#chat .asked >> text=slow: is the heart enlarged?")
    window.drawn()
    window.answered()
    assert window.page.locator("#chat .signature").count() == 1
    assert window.page.get_by_role("button", name="Ask", exact=True).is_visible()


def test_question_cut_off_by_a_lost_server_is_gone_on_with_after_the_reload(
    window: Window, film: Path, agent: WorkbenchAgent
) -> None:
    """The turn was begun and never answered, as a kill leaves it (tests/unit/agent/test_memory.py kills for real)."""
    session = agent.session()
    opened = session.add(film)
    agent.memory.begin_turn(session.id, "Is the heart enlarged?", agent.planner_name, [opened.id])
    window.page.evaluate("id => sessionStorage.setItem('hilum-session', id)", session.id)
    window.page.reload()
    window.page.wait_for_selector("#chat .asked >> text=Is the heart enlarged?")
    window.page.wait_for_selector("#history >> text=cut off")
    window.page.locator("#chat button", has_text="Go on").click()
    window.answered()
    assert window.page.locator("#chat .asked").count() == 1, "it is not asked a second time"
    window.page.wait_for_selector("#history >> text=cut off", state="detached")


def test_conversations_are_renamed_opened_again_and_deleted(window: Window, film: Path) -> None:
    page = window.page
    window.open(film)
    window.ask("Is the heart enlarged?")
    window.answered()
    page.locator("#history li[aria-current] [data-rename]").click()
    page.fill("#history form input", "Mrs. X, follow-up")
    page.keyboard.press("Enter")
    page.wait_for_selector("#history >> text=Mrs. X, follow-up")
    page.click("#restart")
    page.wait_for_selector("#viewer .drop >> visible=true")
    page.locator("#history .open", has_text="Mrs. X, follow-up").click()
    window.answered()
    window.drawn()
    page.locator("#history li[aria-current] [data-delete]").click()
    page.locator("#history form button", has_text="Delete").click()
    page.wait_for_selector("#history >> text=Mrs. X, follow-up", state="detached")
    page.wait_for_selector("#viewer .drop >> visible=true")


def test_film_is_windowed_inverted_zoomed_and_reset(window: Window, film: Path) -> None:
    window.open(film)
    first = window.pixels()
    dragged(window, "window", -0.3, 0.1)
    narrow = window.pixels()
    assert narrow != first and "W 1.00" not in window.page.inner_text("#viewer .reading")
    window.page.click("#viewer [data-act=invert]")
    window.page.wait_for_selector("#viewer [data-act=invert][aria-pressed=true]")
    assert window.pixels() not in (first, narrow)
    window.page.click("#viewer [data-act=in]")
    dragged(window, "pan", 0.1, 0.1)
    assert window.page.inner_text("#viewer .reading").endswith("125 %")
    window.page.click("#viewer [data-act=reset]")
    window.page.wait_for_selector("#viewer .reading >> text=W 1.00 L 0.50 · 100 %")
    assert window.pixels() == first


def test_zoomed_in_a_film_is_shown_in_all_its_pixels(
    window: Window, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The film has 256 columns; it is first shown with 64, as a film of 4,000 is with 2,048."""
    monkeypatch.setattr(viewer, "STAGE_PX", 64)
    shown = "() => document.querySelector('#viewer canvas').width"
    window.page.set_viewport_size({"width": 1366, "height": 560})
    window.open(film)
    window.page.wait_for_function(f"({shown})() === 256")
    window.page.click("#viewer [data-act=invert]")
    window.page.wait_for_selector("#viewer [data-act=invert][aria-pressed=true]")
    assert window.page.evaluate(shown) == 256, "also after it is drawn anew"


def test_what_is_marked_on_the_film_is_put_into_words(window: Window, film: Path) -> None:
    """The stage shows 256 rows over its height, the film in its middle: a stroke down a fifth of it is 51 rows long."""
    window.open(film)
    window.page.click("#viewer button[data-mode=mark]")
    window.page.select_option("#viewer .structure", "heart")
    dragged(window, "mark", 0.0, 0.2)
    told = window.page.input_value("#question textarea")
    assert told.startswith("Correct the heart on film 1: scribble ")
    rows = [row for row, _, inside in marks_in(told)["scribble"] if inside]
    assert abs(rows[0] - 128) <= 2 and abs(rows[-1] - rows[0] - 51) <= 2
    window.saved("marked")
    dragged(window, "box", 0.1, 0.1)
    assert {"scribble", "box"} == set(marks_in(window.page.input_value("#question textarea")))
    window.page.click("#viewer [data-act=reset]")
    assert window.page.locator("#viewer .marks > *").count() == 0


def test_drawn_line_tells_its_length_as_it_is_known(window: Window, film: Path) -> None:
    """The stage shows 256 rows of 1.394 mm over its height; a line over a fifth of that is 71 mm long."""
    window.open(film)
    dragged(window, "measure", 0.0, 0.2)
    told = window.page.inner_text("#viewer .length")
    assert told.endswith("mm at the detector") and abs(int(told.split()[0]) - 0.2 * 256 * 1.394) <= 2


def test_prior_stands_beside_the_film_and_a_cursor_follows(window: Window, visits: list[Path]) -> None:
    page = window.page
    page.set_input_files("#films-side input[webkitdirectory]", str(visits[0].parent))
    window.drawn()
    page.click("#viewer [data-act=side]")
    page.wait_for_function("() => document.querySelectorAll('#viewer .pane').length === 2")
    assert page.locator("#viewer .pane .title").all_inner_texts() == ["Film 1 · prior", "Film 2 · current"]
    page.locator("#viewer .pane").last.hover()
    page.wait_for_selector("#viewer .pane:first-child .cursor:not([hidden])")
    window.saved("side-by-side")
    page.locator("#films-list [data-film]").first.click()
    page.wait_for_selector("#films-list [data-film]:first-child[aria-pressed=true]")
    assert "2020-01-05" in page.inner_text("#viewer .caption")


def test_heat_map_is_laid_over_the_film_as_strong_as_one_likes(window: Window, film: Path) -> None:
    page = window.page
    window.open(film)
    assert not page.locator("#viewer label.heat").is_visible()
    window.ask("Where is the effusion?")
    page.locator("#chat button", has_text="Allow this call").click()
    window.answered()
    page.locator("#viewer .choices button:not(.bare)", has_text="ground").click()
    page.wait_for_selector("#viewer img.heat")
    page.locator("#viewer label.heat input").fill("20")
    assert page.evaluate("document.querySelector('#viewer img.heat').style.opacity") == "0.2"


def test_answer_is_asked_again_followed_up_and_rated(window: Window, film: Path, agent: WorkbenchAgent) -> None:
    page = window.page
    window.open(film)
    window.ask("Is the heart enlarged?")
    window.answered()
    page.locator("#chat a.again").last.click()
    window.answered(2)
    page.locator("#chat .options button", has_text="Write a report.").last.click()
    window.answered(3)
    page.locator("#chat a.rate", has_text="Not helpful").last.click()
    page.fill("#chat .actions input", "too long")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chat a.rate.given")
    newest = agent.memory.remembered("")[0]
    assert any(x["kind"] == "rated" and x["note"] == "too long" for x in agent.memory.transcript(newest.id))


def test_file_of_200_mb_is_refused_in_place_before_it_travels(window: Window, tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    with path.open("wb") as stream:
        os.truncate(stream.fileno(), 200_000_000)
    window.give(path)
    told = window.page.wait_for_selector("#upload-told p.problem")
    assert f"large.dcm was not taken: it has 200 MB, and a file may have {MAX_UPLOAD_MB} MB." in told.inner_text()
    assert not [url for url in window.asked if url.endswith("/upload")]


def test_a_slow_upload_shows_how_much_has_arrived(window: Window, tmp_path: Path) -> None:
    """2 MB at half a megabyte a second; the file is no film, and is refused when it has arrived."""
    path = tmp_path / "slow.dcm"
    path.write_bytes(os.urandom(2_000_000))
    page = window.page
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    window.give(path)
    bar = page.wait_for_selector("#upload-told progress:not([hidden])")
    assert page.inner_text("#upload-told p") == "Sending 2.0 MB …"
    page.wait_for_function(
        "() => { const b = document.querySelector('#upload-told progress'); return b.value > b.max / 3; }"
    )
    assert bar.evaluate("bar => bar.max") >= 2_000_000
    page.wait_for_selector("#chat >> text=slow.dcm cannot be used.")
    assert page.is_hidden("#upload-told progress") and page.inner_text("#upload-told") == ""


def test_everything_is_reached_by_the_keyboard(window: Window, film: Path) -> None:
    page = window.page
    window.open(film)
    page.focus("#question textarea")
    page.keyboard.type("Is the heart enlarged?")
    page.keyboard.press("Enter")
    window.answered()
    page.locator("#chat .prose-answer a.cite").first.focus()
    page.keyboard.press("Space")
    window.page.wait_for_selector("#viewer .choices button[aria-pressed=true][data-evidence^=E]")
    page.focus("#viewer .stage")
    first = window.pixels()
    page.keyboard.press("i")
    page.keyboard.press("+")
    page.wait_for_selector("#viewer [data-act=invert][aria-pressed=true]")
    assert window.pixels() != first and page.inner_text("#viewer .reading").endswith("125 %")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.choices') !== null")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer .choices [data-evidence=''][aria-pressed=true]")


@pytest.mark.parametrize(("width", "height", "scheme"), [(390, 844, "light"), (820, 1180, "dark")])
def test_small_screen_needs_no_sideways_scrolling(
    windows: Callable[..., Window], film: Path, width: int, height: int, scheme: str
) -> None:
    window = windows(width=width, height=height, color_scheme=scheme)
    window.open(film)
    window.ask("Is the heart enlarged?")
    window.answered()
    assert window.page.evaluate("document.documentElement.scrollWidth") <= width
    window.last_line_is_seen()
    window.page.locator("#chat .prose-answer a.cite").first.click()
    window.page.wait_for_timeout(600)
    assert window.page.locator("#viewer .stage").is_visible()
    window.saved(f"small-{width}")


def test_axe_finds_nothing_serious(window: Window, film: Path) -> None:
    assert window.serious() == []
    window.open(film)
    window.ask("Write a report.")
    window.answered()
    window.page.wait_for_timeout(300)
    assert window.serious() == []
    window.page.click("[data-theme]")
    window.tab("Findings")
    window.page.wait_for_timeout(1000)  # gradio fades colours over
    assert window.serious() == []
