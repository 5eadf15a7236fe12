# ruff: noqa: E501 - a table reads best one row a line
"""generate: plain words to a phantom's specification, and what marks the film as nobody's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from stub_pool import StubPool, card, phantom

from imaging.failures import BadArguments, NotApplicable
from imaging.phantom import PhantomSpec, make_phantom
from imaging.radiograph import DerivedKind, View
from imaging.store import ImageStore
from models.outputs import Picture, Task
from models.pool import ModelPool
from models.predictions import Prediction
from models.request import Request
from tools.contract import ToolContext
from tools.drawing import read, specified
from tools.generate import GenerateData, generate

SMALL = 128


@pytest.mark.parametrize(
    ("text", "findings", "view", "age", "sex"),
    [
        (
            "Show an example of moderate left effusion in a 60-year-old woman",
            ["effusion:left:500ml"],
            None,
            60,
            "F",
        ),
        ("show a synthetic lateral view", [], "LATERAL", None, None),
        ("normal PA film of a man aged 35", [], "PA", 35, "M"),
        ("severe pulmonary oedema, AP, 80 y", ["edema:0.85"], "AP", 80, None),
        ("3 cm nodule in the right upper zone and cardiomegaly", ["nodule:right:upper:30mm", "cardiomegaly:0.58"], None, None, None),
        ("large tension pneumothorax on the right with a chest tube", ["pneumothorax:right:tension:60%", "chest_drain:right:0.5"], None, None, None),
        ("small effusions on both sides", ["effusion:bilateral:150ml"], None, None, None),
        ("right upper lobe pneumonia, without effusion", ["consolidation:right:upper_lobe:80mm"], None, None, None),
        ("effusion of 1 l on the left and a pacemaker", ["effusion:left:1000ml", "pacemaker:0.5"], None, None, None),
        ("left nodule and right mass", ["nodule:left:15mm", "mass:right:45mm"], None, None, None),
    ],
)  # fmt: skip
def test_plain_words_become_a_specification(
    text: str, findings: list[str], view: str | None, age: int | None, sex: str | None
) -> None:
    wish = read(text)
    assert [str(spec) for spec in specified(wish.findings)[0]] == findings
    assert (wish.view, wish.age_years, wish.sex) == (view, age, sex)


def test_what_is_drawn_in_place_of_another_is_said() -> None:
    _, notes = specified(read("pneumonia").findings)
    assert notes == ["For pneumonia the phantom draws consolidation."]


def test_what_cannot_be_drawn_is_not_applicable_and_out_of_range_is_bad_arguments() -> None:
    with pytest.raises(NotApplicable, match="cannot draw tuberculosis"):
        specified(read("tuberculosis").findings)
    with pytest.raises(BadArguments, match="cannot draw this nodule"):
        specified(read("a 90 mm nodule").findings)


class Pool(StubPool):
    """Also draws: the picture of a phantom, whatever the words."""

    def ask(self, task: Task, requests: list[Request], *, model_id: str | None = None) -> list[Prediction]:
        self.asked = [request.question for request in requests]
        made = card(task)
        picture = Picture(phantom().radiograph.pixels, "generated")
        return [Prediction(picture, made, made.id, made.revision, False, 1.0) for _ in requests]


def context(draws: bool = False) -> tuple[ToolContext, Pool]:
    pool = Pool({Task.GENERATE: Picture(np.zeros((4, 4), np.float32), "x")} if draws else {}, {}, [])
    return ToolContext(films=ImageStore(), models=cast(ModelPool, pool)), pool


def small(spec: PhantomSpec) -> Any:
    return make_phantom(replace(spec, size=SMALL))


def test_phantom_draws_what_was_asked_and_marks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.generate.make_phantom", small)
    where, _ = context()
    result = generate.run(where, {"prompt": "large left effusion in a 60-year-old woman", "seed": 7})
    assert result.ok and isinstance(result.data, GenerateData)
    film = where.films.get(result.data.film_id)
    assert film.derived is not None and film.derived.kind is DerivedKind.SYNTHETIC
    assert (film.age_years, film.sex, film.view, film.patient_key) == (60, "F", View.PA, None)
    assert [(each.code, each.side) for each in result.data.findings] == [("effusion", "left")]
    assert result.caveats[0].startswith("SYNTHETIC") and "SYNTHETIC" in result.summary
    assert result.findings == []
    truth = small(
        PhantomSpec(seed=7, age_years=60, sex="F", findings=specified(read("large left effusion").findings)[0])
    )
    [drawn] = result.overlays
    assert np.array_equal(drawn.as_mask(), truth.masks["effusion_left"])
    inside = slice(SMALL // 5, -SMALL // 5)
    assert np.array_equal(film.pixels[inside], truth.radiograph.pixels[inside])
    assert not np.array_equal(film.pixels[: SMALL // 10], truth.radiograph.pixels[: SMALL // 10])


def test_same_words_give_the_same_film_and_other_words_another_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.generate.make_phantom", small)
    ids = []
    for text in ("a normal film", "a normal film", "another normal film"):
        where, _ = context()
        ids.append(generate.run(where, {"prompt": text}).image_ids[0])
    assert ids[0] == ids[1] != ids[2]


def test_model_draws_where_one_is_here_from_words_as_an_impression_has_them() -> None:
    where, pool = context(draws=True)
    result = generate.run(where, {"prompt": "Show an example of moderate left effusion in a 60-year-old woman"})
    assert result.ok and isinstance(result.data, GenerateData)
    assert pool.asked[0] is not None and pool.asked[0].text == "Moderate left effusion, 60-year-old woman."
    assert result.model == result.data.generator == "stub-generate" and result.data.findings == []
    film = where.films.get(result.data.film_id)
    assert film.derived is not None and film.derived.kind is DerivedKind.SYNTHETIC
    assert any("nothing guarantees" in caveat for caveat in result.caveats)


def test_nothing_to_show_is_bad_arguments() -> None:
    where, _ = context()
    result = generate.run(where, {"prompt": " "})
    assert result.failure is not None and result.failure.kind == "bad_arguments"
