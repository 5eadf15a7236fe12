"""compare: verdicts on phantoms whose change is known, what they rest on, and what is refused."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from film_pool import dated_context, visits
from PIL import Image

from imaging.derived import processed
from imaging.phantom import PhantomFilm
from imaging.radiograph import View
from tools.compare import CompareData, compare
from tools.contract import Result, Status

DENSE = "consolidation:right:upper:80mm"
SEEN, UNSEEN = {"effusion": 0.9}, {"effusion": 0.1}
CLEAR, SMALL, LARGE, AGAIN, OTHER = range(5)
"""Films of one patient: without fluid, with 200 ml, 900 ml, 900 ml in another exposure, and consolidation."""


def films_of(*which: int) -> tuple[PhantomFilm, ...]:
    """Some of them, in this order in time."""
    large = "effusion:left:900ml"
    series = visits(3, "", "effusion:left:200ml", large, large, f"-effusion:left {DENSE}")
    return tuple(series[number] for number in which)


def data_of(result: Result) -> CompareData:
    assert isinstance(result.data, CompareData), result.failure
    return result.data


def verdicts(result: Result, code: str) -> list[str]:
    return [row.verdict.value for pair in data_of(result).pairs for row in pair.changes if row.finding == code]


@pytest.mark.parametrize(
    ("before", "after", "scores", "verdict"),
    [
        (CLEAR, LARGE, (UNSEEN, SEEN), "new"),
        (SMALL, LARGE, (SEEN, SEEN), "worsened"),
        (LARGE, SMALL, (SEEN, SEEN), "improved"),
        (LARGE, CLEAR, (SEEN, UNSEEN), "resolved"),
        (LARGE, AGAIN, (SEEN, SEEN), "unchanged"),
    ],
)  # fmt: skip
def test_verdict_on_an_effusion_of_known_volume(
    before: int, after: int, scores: tuple[dict[str, float], ...], verdict: str
) -> None:
    context, ids = dated_context(films_of(before, after), scores)
    result = compare.run(context, {"image_ids": ids, "findings": ["effusion"]})
    assert verdicts(result, "effusion") == [verdict], result.summary
    [row] = data_of(result).pairs[0].changes
    assert row.basis[0] == "pictures"
    if verdict != "unchanged":
        assert row.side == "left" and row.region == "left base"
        assert row.measured[0].unit == "% of the left lung field"


def test_opacity_is_told_where_the_classifier_sees_nothing_and_drawn_on_both_films() -> None:
    films = films_of(CLEAR, OTHER)
    context, ids = dated_context(films)
    result = compare.run(context, {"image_ids": ids})
    assert verdicts(result, "lung_opacity") == ["new"]
    drawn = {overlay.image_id: overlay for overlay in result.overlays}
    assert set(drawn) == set(ids) and drawn[ids[1]].label == "more opacity than on film 1"
    truth = films[1].masks["consolidation_right"]
    found = drawn[ids[1]].as_mask()
    assert 2 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.6, "the patch is the phantom's consolidation"
    on_prior = next(row for row in result.findings if row.code == "lung_opacity" and row.image_id == ids[0])
    assert on_prior.status is Status.ABSENT and on_prior.laterality == "right"


def test_scores_alone_need_more_than_their_repeat_noise() -> None:
    films = films_of(LARGE, AGAIN)
    context, ids = dated_context(films, ({"pneumothorax": 0.3}, {"pneumothorax": 0.6}))
    [row] = data_of(compare.run(context, {"image_ids": ids, "findings": ["pneumothorax"]})).pairs[0].changes
    assert row.verdict == "unchanged" and "within its repeat noise" in row.reason
    context, ids = dated_context(films, ({"pneumothorax": 0.05}, {"pneumothorax": 0.9}))
    [row] = data_of(compare.run(context, {"image_ids": ids, "findings": ["pneumothorax"]})).pairs[0].changes
    assert row.verdict == "new" and row.basis == ["scores"]


def test_pictures_without_a_change_outweigh_a_score_that_moved() -> None:
    context, ids = dated_context(films_of(LARGE, AGAIN), ({"nodule": 0.05}, {"nodule": 0.9}))
    [row] = data_of(compare.run(context, {"image_ids": ids, "findings": ["nodule"]})).pairs[0].changes
    assert row.verdict == "unchanged" and "aligned films show no change" in row.reason


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [("cardiomegaly:0.5", "cardiomegaly:0.62", "worsened"), ("cardiomegaly:0.58", "cardiomegaly:0.58", "unchanged")],
)
def test_heart_is_judged_by_its_ratio(before: str, after: str, verdict: str) -> None:
    films = visits(4, before, after)
    context, ids = dated_context(films)
    [row] = data_of(compare.run(context, {"image_ids": ids, "findings": ["cardiomegaly"]})).pairs[0].changes
    assert row.verdict == verdict and row.basis == ["heart"], row.reason
    told, true = row.measured[0], [film.measures["cardiothoracic_ratio"] for film in films]
    assert told.prior == pytest.approx(true[0], abs=0.02) and told.current == pytest.approx(true[1], abs=0.02)


def test_three_films_give_the_course_whatever_their_order() -> None:
    context, ids = dated_context(films_of(SMALL, LARGE, CLEAR), (SEEN, SEEN, UNSEEN))
    result = compare.run(context, {"image_ids": [ids[2], ids[0], ids[1]], "findings": ["effusion"]})
    data = data_of(result)
    assert [pair.days for pair in data.pairs] == [7, 33] and result.image_ids == ids
    assert data.course == {"effusion": ["worsened", "resolved"]}
    assert data.pairs[0].prior_date == "2026-01-05" and "2026" not in result.summary, "a planner is told days alone"


def test_prior_is_laid_over_the_current_film() -> None:
    films = films_of(LARGE, AGAIN)
    context, ids = dated_context(films)
    data = data_of(compare.run(context, {"image_ids": ids}))
    [shown] = data.beside
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.picture))), dtype=np.float32) / 255
    prior, current = (film.radiograph.pixels for film in films)
    assert pixels.shape == current.shape and shown.image_id == ids[1] and shown.of == ids[0]
    lungs = films[1].masks["left_lung"] | films[1].masks["right_lung"]

    def fit(picture: np.ndarray) -> float:
        return float(np.corrcoef(picture[lungs], current[lungs])[0, 1])

    assert fit(pixels) > fit(prior) and data.pairs[0].alignment.usable


def test_no_films_named_means_the_newest_and_its_prior() -> None:
    context, ids = dated_context(films_of(CLEAR, SMALL, LARGE))
    pairs = data_of(compare.run(context, {})).pairs
    assert [(pair.prior_id, pair.current_id) for pair in pairs] == [(ids[1], ids[2])]


def test_pa_and_ap_films_are_compared_with_their_limits_said() -> None:
    [bedside] = visits(3, "", view=View.AP)
    context, ids = dated_context((*films_of(CLEAR), bedside), ({"pneumothorax": 0.05}, {"pneumothorax": 0.9}))
    result = compare.run(context, {"image_ids": ids, "findings": ["pneumothorax", "cardiomegaly"]})
    assert {row.verdict.value for row in data_of(result).pairs[0].changes} == {"not comparable"}
    assert any("not compared across projections" in caveat for caveat in result.caveats)


def refusal(context: object, **arguments: object) -> tuple[str, str]:
    result = compare.run(context, arguments)  # type: ignore[arg-type]
    assert result.failure is not None
    return result.failure.kind, result.failure.message


def test_refuses_without_a_prior_a_date_or_one_patient() -> None:
    films = films_of(LARGE, AGAIN)
    context, ids = dated_context(films)
    assert refusal(context, image_ids=ids[:1]) == (
        "not_applicable", "There is no earlier film to compare film 1 with: no change can be stated."
    )  # fmt: skip
    assert refusal(context, image_ids=[ids[0], ids[0]])[0] == "bad_arguments"
    kind, message = refusal(dated_context(films, patients=("one", "two"))[0], image_ids=ids)
    assert kind == "not_applicable" and "different patients" in message
    kind, message = refusal(dated_context(films, patients=(None, None))[0], image_ids=ids)
    assert kind == "bad_arguments" and "film 1 and film 2 name no patient" in message
    kind, message = refusal(dated_context(films, acquired=None)[0], image_ids=ids)
    assert kind == "bad_arguments" and "no date" in message
    kind, message = refusal(dated_context(films, view=View.LATERAL)[0], image_ids=ids)
    assert kind == "not_applicable" and "lateral" in message
    kind, message = refusal(dated_context(films[:1])[0])
    assert kind == "not_applicable" and "no change can be stated" in message


def test_user_may_tell_whose_and_when() -> None:
    films = films_of(LARGE, SMALL)
    context, ids = dated_context(films, (SEEN, SEEN), patients=(None, None), acquired=None)
    told = {"image_ids": ids, "findings": ["effusion"], "same_patient": True}
    result = compare.run(context, {**told, "days": [0, 14]})
    assert verdicts(result, "effusion") == ["improved"] and data_of(result).pairs[0].days == 14
    assert any("user" in caveat for caveat in result.caveats)
    assert verdicts(compare.run(context, {**told, "days": [14, 0]}), "effusion") == ["worsened"]
    assert refusal(context, **told, days=[1])[0] == "bad_arguments"


def test_processed_film_is_no_prior() -> None:
    context, ids = dated_context(films_of(LARGE, AGAIN))
    made = context.films.add(
        processed(context.films.get(ids[0]), 1 - context.films.get(ids[0]).pixels, "inverted", "x")
    )
    kind, message = refusal(context, image_ids=[made.id, ids[1]])
    assert kind == "not_applicable" and "not acquired" in message


def test_same_films_twice_give_the_same_result() -> None:
    context, ids = dated_context(films_of(SMALL, LARGE), (SEEN, SEEN))
    first, second = (compare.run(context, {"image_ids": ids}).model_dump(exclude={"elapsed_ms"}) for _ in range(2))
    assert first == second
