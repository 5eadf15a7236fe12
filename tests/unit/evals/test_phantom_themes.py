"""Judges of comparisons, reports, processed, synthetic and past films, on answers written down here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agent import Agent
from agent.settings import Settings
from evals.phantom_cases import compared, generated, processed, retrieved, written
from evals.phantom_cases.archives import Archives
from evals.phantom_cases.case import Case, Draw, Outcome
from imaging.derived import processed as made_from
from imaging.phantom import PhantomSpec, make_phantom
from imaging.store import ImageStore


def outcome(tool: str, *data: dict[str, Any], not_assessed: tuple[str, ...] = (), **more: Any) -> Outcome:
    """An outcome with one answer per data, each with one record of a tool."""
    answers: list[Any] = [
        SimpleNamespace(evidence=[SimpleNamespace(tool=tool, failure=None, data=each, image_ids=[])],
                        not_assessed=not_assessed, claims=[], text="SYNTHETIC")
        for each in data
    ]  # fmt: skip
    return Outcome(answers, more.pop("films", []), SimpleNamespace(**more))


def change(*verdicts: str) -> dict[str, Any]:
    return {"pairs": [{"changes": [{"finding": "effusion", "verdict": verdict} for verdict in verdicts]}]}


@pytest.mark.parametrize(
    ("course", "told", "worth"),
    [
        ("new", ("new",), 1.0), ("new", ("worsened",), 0.5), ("new", ("unchanged",), 0.0), ("new", ("resolved",), 0.0),
        ("unchanged", ("unchanged",), 1.0), ("improved", ("improved", "resolved"), 0.5),
        ("improved", ("improved", "new"), 0.0), ("improved", ("not comparable",), 0.0), ("improved", (), 0.0),
    ],
)  # fmt: skip
def test_verdict_is_worth(course: str, told: tuple[str, ...], worth: float) -> None:
    assert compared._course("effusion", course)(outcome("compare", change(*told))) == worth
    assert compared._course("mass", course)(outcome("compare", change(*told))) == 0.0


def test_refusal_and_steadiness() -> None:
    assert compared._nothing_changed(outcome("compare", change("unchanged"))) == 1.0
    assert compared._nothing_changed(outcome("compare", change("unchanged", "new"))) == 0.0
    assert compared._refused(outcome("quality", {}, not_assessed=("no prior",))) == 1.0
    assert compared._refused(outcome("compare", change("unchanged"), not_assessed=("x",))) == 0.0


def draft(text: str, **more: Any) -> dict[str, Any]:
    sentence = {"text": text, "finding": "effusion", "status": "present", "key": "present", "score": 0.9, **more}
    sections = [{"title": "Findings", "sentences": [sentence]}, {"title": "Impression", "sentences": []}]
    return {"text": text, "language": "es", "style": "template", "sections": sections, "used": [], "missing": []}


def test_draft_must_read_back_and_repeat() -> None:
    judge = written._reads_back("es")
    assert judge(outcome("report", draft("Derrame pleural: presente."))) == 1.0
    assert judge(outcome("report", draft("No se identifica derrame pleural."))) == 0.5
    assert written._reads_back("fr")(outcome("report", draft("Derrame pleural: presente."))) == 0.0
    assert written._the_same(outcome("report", draft("A"), draft("B"), draft("A"))) == 1.0
    assert written._the_same(outcome("report", draft("A"), draft("A"), draft("B"))) == 0.0


def test_processed_film_is_held_against_numbers() -> None:
    film = make_phantom(PhantomSpec(seed=1, size=128))
    store = ImageStore()
    given = store.add(film.radiograph)

    def judged(judge: Any, pixels: Any, tool: str = "enhance") -> float:
        made = store.add(made_from(given, pixels, "x", "y"))
        answers: Any = [SimpleNamespace(evidence=[SimpleNamespace(tool=tool, failure=None, data={"film_id": made.id})])]
        return float(judge(Outcome(answers, [film], SimpleNamespace(films=store))))

    assert judged(processed._inverted, 1 - given.pixels) == 1.0
    assert judged(processed._inverted, given.pixels * 0.5) == 0.0
    assert judged(processed._window(0.5, 0.4), ((given.pixels - 0.3) / 0.4).clip(0, 1)) == 1.0
    assert judged(processed._window(0.6, 0.4), ((given.pixels - 0.3) / 0.4).clip(0, 1)) == 0.0
    assert judged(processed._bone_free, film.bone_free, "suppress_bone") == 1.0
    assert judged(processed._bone_free, np.full_like(given.pixels, 0.5), "suppress_bone") == 0.0


def test_past_cases_are_those_asked_for() -> None:
    archive = retrieved._archive(Draw(0, "x"))
    assert len(archive) == len(retrieved.KINDS) * retrieved.EACH + retrieved.NORMAL
    found = {"cases": [{"number": number, "view": "PA"} for number in (1, 2, 9, 10, 11)]}
    assert retrieved._like(archive, "effusion")(outcome("retrieve_cases", found)) == pytest.approx(2 / 5)
    assert retrieved._of_view("PA")(outcome("retrieve_cases", found)) == 1.0
    assert retrieved._of_view("AP")(outcome("retrieve_cases", found)) == 0.0
    assert retrieved._without_own(0)(outcome("retrieve_cases", found)) == 0.0
    assert retrieved._without_own(5)(outcome("retrieve_cases", found)) == 1.0


def test_visits_are_dated_films_of_one_patient() -> None:
    film = Draw(0, "x").film(size=96)
    case = Case("c", "C8", (film,), ("?",), lambda _: 1.0, visits=((), ("effusion:left:900ml",)))
    before, after = case.make()
    assert before.radiograph.acquired and after.radiograph.acquired
    assert (after.radiograph.acquired - before.radiograph.acquired).days == 35
    assert before.radiograph.patient_key == after.radiograph.patient_key
    assert "effusion_left" in after.masks and "effusion_left" not in before.masks


def test_archive_is_indexed_once_in_a_home_of_its_own(tmp_path: Path) -> None:
    agent = Agent(Settings(profile="embedded", device="cpu", state_dir=tmp_path / "mine"))
    archives = Archives(agent, tmp_path)
    films = tuple(PhantomSpec(seed=seed, size=256) for seed in (1, 2))
    case = Case("c", "C10", (films[0],), ("?",), lambda _: 1.0, archive=films)
    other = archives.agent_of(case)
    assert archives.agent_of(case) is other and other.models is agent.models
    assert other.settings.state_dir != agent.settings.state_dir and not (tmp_path / "mine" / "cases").exists()
    assert archives.agent_of(Case("d", "C2", (), ("?",), lambda _: 1.0)) is agent


def test_synthetic_film_is_read_only_where_named() -> None:
    film = SimpleNamespace(id="made")
    store = SimpleNamespace(get=lambda _: film)

    def judged(named: bool, *read: str) -> float:
        made = SimpleNamespace(tool="generate", failure=None, data={"film_id": "made"}, image_ids=[])
        seen = SimpleNamespace(tool="classify", failure=None, data={}, image_ids=list(read))
        answers: Any = [SimpleNamespace(evidence=each) for each in ([], [made], [seen])]
        return float(generated._read_where_named(named)(Outcome(answers, [], SimpleNamespace(films=store))))

    assert judged(True, "made") == judged(False, "given") == 1.0
    assert judged(False, "given", "made") == judged(True, "given") == judged(False) == 0.0
