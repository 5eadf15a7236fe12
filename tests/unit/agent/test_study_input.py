"""Films given as folders, archives and several files: which is asked about, what is told of the rest."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.events import Answered, FilmsTaken
from agent.films import told_films
from agent.planner.naming import role_named
from imaging.failures import BadArguments, FilmRefused
from imaging.radiograph import Radiograph, View

EFFUSION = Truth(scores={"effusion": 0.81}, sides={"effusion": "left"})
CLEAR = Truth(scores={"effusion": 0.1})


def visit(seed: int, day: str | None, patient: str | None = "p", view: View = View.PA) -> Radiograph:
    """A film of noise of one visit."""
    acquired = dt.date.fromisoformat(day) if day else None
    return replace(film(seed, view), acquired=acquired, patient_key=patient, study_key=f"{patient}{day}")


OLDEST, PRIOR, CURRENT = visit(1, "2020-01-01"), visit(2, "2021-01-01"), visit(3, "2022-01-01")
LATERAL = visit(4, "2022-01-01", view=View.LATERAL)


def stub() -> StubTools:
    return StubTools(CLEAR, {CURRENT.id: EFFUSION})


def asked_of(tools: StubTools) -> list[str]:
    """Films classified; tools asked for together run in any order."""
    return [arguments["image_id"] for name, arguments in tools.runs if name == "classify"]


def test_a_question_goes_to_the_newest_frontal_film_and_says_what_was_left_unread() -> None:
    tools = stub()
    answer = stub_agent(tools).session().ask("Is there an effusion?", films=[LATERAL, CURRENT, OLDEST, PRIOR])
    assert asked_of(tools) == [CURRENT.id]
    roles = [(image["name"], image["view"], image["acquired"], image["role"]) for image in answer.images]
    assert roles == [
        ("film 1", "PA", "2020-01-01", "older"),
        ("film 2", "PA", "2021-01-01", "prior"),
        ("film 3", "LATERAL", "2022-01-01", "current"),
        ("film 4", "PA", "2022-01-01", "current"),
    ]
    assert "about film 4 (PA, current)" in answer.text
    assert "film 1 (PA, older) and film 2 (PA, prior)" in answer.text and "Ask what changed" in answer.text
    assert "Not read for it: film 3 (lateral, current)" in answer.text


def test_a_comparison_is_between_prior_and_current_and_says_that_change_is_not_assessed() -> None:
    tools = stub()
    answer = stub_agent(tools).session().ask("Has the effusion changed?", films=[CURRENT, LATERAL, OLDEST, PRIOR])
    assert set(asked_of(tools)) == {PRIOR.id, CURRENT.id}
    assert answer.text.startswith("Not assessed: what changed between film 2 (PA, prior) and film")
    assert "absent on film 2" in answer.text and any("what changed" in line for line in answer.not_assessed)


def test_two_patients_are_warned_of_answered_apart_and_never_compared() -> None:
    other = visit(5, "2022-06-01", patient="q")
    tools = stub()
    session = stub_agent(tools).session()
    answer = session.ask("Is there an effusion?", films=[PRIOR, CURRENT, other])
    assert set(asked_of(tools)) == {CURRENT.id, other.id}
    assert any("more than one patient" in note for note in answer.notes) and "of 2 patients" in answer.text
    refused = session.ask("Has the effusion changed?")
    assert "different patients are not compared" in refused.text and len(tools.runs) == 3
    assert "patient 2" in told_films([session.films.get(key) for key in session.films.ids()], session.studies)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is there an effusion on the prior film?", [PRIOR]),
        ("Is there an effusion in the previous one?", [PRIOR]),
        ("Effusion on the current study?", [CURRENT]),
        ("Is there an effusion on the prior?", [PRIOR]),
        ("Is there an effusion on the lateral view?", [LATERAL]),
        ("Is the effusion larger than on the prior film?", [PRIOR, CURRENT]),
        ("Any effusion, compared with the previous radiograph?", [PRIOR, CURRENT]),
    ],
)
def test_films_are_called_by_their_place(question: str, expected: list[Radiograph]) -> None:
    tools = stub()
    stub_agent(tools).session().ask(question, films=[PRIOR, CURRENT, LATERAL])
    assert sorted(asked_of(tools)) == sorted(each.id for each in expected)


def test_a_place_no_film_has_is_told() -> None:
    tools = stub()
    answer = stub_agent(tools).session().ask("Is there an effusion on the prior film?", films=[CURRENT])
    assert not tools.runs and "known to be a prior one" in answer.text
    assert role_named("Is it frontal or lateral?")[0] == "" and role_named("Any new effusion?")[0] == ""


def test_films_without_dates_are_all_asked_and_none_is_called_current() -> None:
    tools = StubTools(CLEAR)
    answer = stub_agent(tools).session().ask("Is there an effusion?", films=[visit(1, None), visit(2, None, "q")])
    assert len(tools.runs) == 2 and [image["role"] for image in answer.images] == [None, None]
    assert any("no date" in note for note in answer.notes)


def test_a_film_taken_after_a_question_is_what_the_next_one_is_about() -> None:
    tools = stub()
    session = stub_agent(tools).session()
    session.ask("Is there an effusion?", films=[PRIOR])
    session.take([CURRENT])
    answer = session.ask("Is there an effusion?")
    assert asked_of(tools) == [PRIOR.id, CURRENT.id] and "about film 2 (PA, current)" in answer.text
    session.ask("And a pneumothorax?")
    assert asked_of(tools)[-1] == CURRENT.id


def png(seed: int) -> bytes:
    import numpy as np
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return stream.getvalue()


def test_every_file_of_folder_archive_and_bytes_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(archive(one=png(1), again=png(1), text=b"a note\n"))
    (tmp_path / "two.png").write_bytes(png(2))
    session = stub_agent(StubTools(CLEAR)).session()
    events = list(session.stream("Is there an effusion?", films=[tmp_path, png(3), archive(x=png(4)), b"nothing"]))
    taken, last = events[0], events[-1]
    assert isinstance(taken, FilmsTaken) and isinstance(last, Answered)
    assert sorted(taken.names.values()) == ["film 1", "film 2", "film 3", "film 4"]
    names = {Path(each.source).name for each in taken.found.films}
    assert names == {"all.zip!again", "two.png", "file 2", "file 3!x"}
    notes = "\n".join(last.answer.notes)
    assert "all.zip!text was not opened. The file is text" in notes and "file 4 was not opened" in notes
    assert "all.zip!one was not used: it holds the same picture" in notes
    assert session.ask("And a mass?").notes == []


def test_films_of_which_none_opens_raise_the_reason_and_leave_the_session_usable(tmp_path: Path) -> None:
    session = stub_agent(StubTools(CLEAR)).session()
    with pytest.raises(FilmRefused, match="text"):
        session.ask("Is there an effusion?", films=[b"a note\n"])
    with pytest.raises(FilmRefused, match="no such file"):
        session.add(tmp_path / "absent")
    with pytest.raises(BadArguments, match="2 films"):
        session.add(archive(a=png(1), b=png(2)))
    assert len(session.films) == 0 and session.ask("Is there an effusion?", films=[png(1)]).images


def test_films_beyond_the_store_are_refused_by_name_and_held_ones_cost_nothing() -> None:
    session = stub_agent(StubTools(CLEAR)).session()
    session.films.max_bytes = 2 * 64 * 64 * 4
    found = session.take([png(1), png(2), png(3)])
    assert [each.reason.kind for each in found.refused] == ["store_full"] and found.refused[0].source == "file 3"
    assert len(session.take([png(2), png(1)]).films) == 2
