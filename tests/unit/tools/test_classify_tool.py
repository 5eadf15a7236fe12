"""classify: statuses by the card, never a guess."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from stub_pool import SCORES, StubPool, as_view, card, context_of, phantom, sights_of

from imaging.radiograph import View
from models.card import FindingCard
from models.locator import OBJECTS
from models.outputs import ScoreKind, Scores, Task
from models.pool import ModelPool
from tools.classifiers import worth_warnings
from tools.classify import ClassifyData, classify
from tools.contract import Finding, Result, Status

ROC = ((0.05, 1.0, 0.1), (0.1, 0.95, 0.4), (0.3, 0.9, 0.7), (0.5, 0.8, 0.8), (0.85, 0.4, 0.95), (0.95, 0.1, 1.0))
"""(threshold, sensitivity, specificity), made up."""


def test_statuses_follow_threshold_band_and_usability() -> None:
    context, image_id, _ = context_of(phantom())
    result = classify.run(context, {"image_id": image_id})
    assert {item.code: item.status for item in result.findings} == {
        "effusion": Status.PRESENT, "pneumothorax": Status.ABSENT, "cardiomegaly": Status.ABSENT,
        "nodule": Status.UNCERTAIN, "hernia": Status.NOT_ASSESSED,
    }  # fmt: skip


def test_unusable_finding_has_a_reason_and_no_score() -> None:
    context, image_id, _ = context_of(phantom())
    [hernia] = classify.run(context, {"image_id": image_id, "findings": ["hernia"]}).findings
    assert hernia.score is None and hernia.reason == "only 3 positive films."


def test_finding_nobody_was_trained_on_is_not_assessed() -> None:
    context, image_id, _ = context_of(phantom())
    result = classify.run(context, {"image_id": image_id, "findings": ["cavity"]})
    assert result.findings[0].status is Status.NOT_ASSESSED
    assert "not trained on it" in result.summary


def test_finding_with_a_known_relative_names_it() -> None:
    context, image_id, _ = context_of(phantom())
    result = classify.run(context, {"image_id": image_id, "findings": ["lung_lesion"]})
    assert "Related findings it does assess: nodule" in result.summary


def test_unknown_code_is_refused_with_the_nearest() -> None:
    context, image_id, pool = context_of(phantom())
    result = classify.run(context, {"image_id": image_id, "findings": ["efusion"]})
    assert result.failure is not None and "'effusion'" in result.failure.hint
    assert pool.calls == []


def test_score_that_is_no_number_is_not_assessed() -> None:
    context, image_id, _ = context_of(phantom(), scores={"effusion": float("nan")})
    assert classify.run(context, {"image_id": image_id}).findings[0].status is Status.NOT_ASSESSED


@pytest.mark.parametrize(
    ("kind", "word"), [(ScoreKind.CALIBRATED_PROBABILITY, True), (ScoreKind.OPERATING_POINT, False)]
)
def test_only_a_calibrated_score_is_called_a_probability(kind: ScoreKind, word: bool) -> None:
    cards = {Task.CLASSIFY: card(Task.CLASSIFY, score_kind=kind)}
    context, image_id, _ = context_of(phantom(), cards=cards)
    result = classify.run(context, {"image_id": image_id})
    assert ("probability" in result.summary) is word
    assert isinstance(result.data, ClassifyData) and result.data.score_kind is kind
    assert any("no probabilities" in caveat for caveat in result.caveats) is not word


def test_film_caveats_name_child_and_view() -> None:
    film = phantom()
    context, image_id, _ = context_of(film, radiograph=as_view(film, View.AP, age_years=4.0))
    caveats = " ".join(classify.run(context, {"image_id": image_id}).caveats)
    assert "child" in caveats and "AP view" in caveats


def test_card_carries_the_figures_of_what_was_asked() -> None:
    context, image_id, _ = context_of(phantom())
    result = classify.run(context, {"image_id": image_id, "findings": ["effusion"]})
    assert result.card["figures"] == {"effusion": "AUROC 0.800 (0.700–0.900), 40 positive films"}
    assert set(SCORES) > set(result.card["figures"])


def measured_card() -> dict[Task, Any]:
    findings = [
        FindingCard(code=code, label=code, threshold=0.5, uncertain_low=0.45, uncertain_high=0.55, roc=ROC)
        for code in ("effusion", "pneumothorax", "nodule")
    ]
    unmeasured = FindingCard(code="cardiomegaly", label="Heart", threshold=0.5)
    return {Task.CLASSIFY: card(Task.CLASSIFY, findings=[*findings, unmeasured])}


def run(arguments: dict[str, Any], cards: Any = None) -> tuple[Result, ClassifyData | None]:
    context, image_id, _ = context_of(phantom(), cards=measured_card() if cards is None else cards)
    result = classify.run(context, {"image_id": image_id, **arguments})
    return result, result.data if isinstance(result.data, ClassifyData) else None


@pytest.mark.parametrize(
    ("arguments", "threshold"),
    [
        ({"sensitivity": 0.95}, 0.1), ({"sensitivity": 0.89}, 0.3), ({"specificity": 0.9}, 0.85),
        ({"operating_point": "sensitive"}, 0.3), ({"operating_point": "specific"}, 0.85), ({"threshold": 0.4}, 0.4),
        ({"thresholds": {"pneumothorax": 0.07}}, 0.07), ({}, 0.5),
    ],
)  # fmt: skip
def test_threshold_moves_along_the_cards_curve(arguments: dict[str, Any], threshold: float) -> None:
    """Expected: read from ROC by hand; a rate wanted is reached, by the threshold that costs least."""
    result, _ = run({"findings": ["pneumothorax"], **arguments})
    [row] = result.findings
    assert row.threshold == threshold and row.score == 0.1
    assert row.status is (Status.PRESENT if threshold <= 0.1 else Status.ABSENT)


def test_what_a_moved_threshold_changed_and_is_worth_is_said() -> None:
    result, data = run({"findings": ["pneumothorax", "effusion"], "sensitivity": 0.95})
    assert data is not None and data.operating_point == "at least 95 % sensitivity"
    assert "changes pneumothorax from absent to present" in data.moved and data.moved in result.summary
    row = data.rows[0]
    assert (row.sensitivity, row.specificity, row.card_threshold, row.card_status) == (0.95, 0.4, 0.5, Status.ABSENT)


def test_rates_between_measured_points_are_read_from_the_line() -> None:
    """Expected: half way between 0.3 (0.9, 0.7) and 0.5 (0.8, 0.8)."""
    _, data = run({"findings": ["pneumothorax"], "threshold": 0.4})
    assert data is not None and (data.rows[0].sensitivity, data.rows[0].specificity) == (0.85, 0.75)


def test_moved_threshold_has_no_uncertain_band() -> None:
    result, _ = run({"findings": ["nodule"], "threshold": 0.51})
    assert result.findings[0].status is Status.PRESENT, "0.52 lies in the card's band of 0.45 to 0.55"


def test_finding_without_a_curve_keeps_its_threshold_and_it_is_said() -> None:
    result, data = run({"findings": ["pneumothorax", "cardiomegaly"], "sensitivity": 0.95})
    assert data is not None and data.rows[1].threshold == 0.5 and data.rows[1].card_threshold is None
    assert "Not moved, as it was not measured: cardiomegaly" in result.summary


def test_model_without_any_curve_cannot_be_moved_by_a_rate() -> None:
    result, _ = run({"sensitivity": 0.95}, cards={})
    assert result.failure is not None and result.failure.kind == "not_applicable"
    assert "Set a threshold by value" in result.failure.hint
    assert run({"threshold": 0.2}, cards={})[0].ok


@pytest.mark.parametrize(
    "arguments",
    [
        {"sensitivity": 0.9, "threshold": 0.3}, {"operating_point": "sensitive", "specificity": 0.9},
        {"sensitivity": 1.2}, {"threshold": -1}, {"ensemble": True, "model": "a"}, {"thresholds": {"efusion": 0.2}},
        {"findings": ["effusion"], "thresholds": {"mass": 0.2}},
    ],
)  # fmt: skip
def test_operating_point_that_makes_no_sense_is_bad_arguments(arguments: dict[str, Any]) -> None:
    failure = run(arguments)[0].failure
    assert failure is not None and failure.kind == "bad_arguments"


class TwoClassifiers(StubPool):
    """Knows two classifiers and their mean, which the stub's scores and spread stand for."""

    @property
    def catalog(self) -> Any:
        entries = {name: SimpleNamespace(id=name, members=()) for name in ("a", "b")}
        mean = SimpleNamespace(id="ensemble:a+b", members=("a", "b"))
        return SimpleNamespace(get=lambda _: mean, serving=lambda _: list(entries.values()))

    def card(self, model_id: str) -> Any:
        return self.cards[Task.CLASSIFY]


def test_ensemble_shows_how_far_its_members_differ() -> None:
    context, image_id, pool = context_of(phantom())
    spread = np.array([0.1, 0.9], dtype=np.float32)
    mean = Scores(("effusion", "pneumothorax"), np.array([0.8, 0.1], dtype=np.float32), spread)
    two = TwoClassifiers({**pool.outputs, Task.CLASSIFY: mean}, pool.cards, [])
    result = classify.run(replace(context, models=two), {"image_id": image_id, "ensemble": True})  # type: ignore[arg-type]
    assert isinstance(result.data, ClassifyData) and result.data.members == ["a", "b"]
    assert [row.spread for row in result.data.rows] == [0.1, 0.9]
    assert "members differ by 0.10" in result.summary
    effusion, pneumothorax = result.findings
    assert effusion.status is Status.PRESENT
    assert pneumothorax.status is Status.UNCERTAIN and "both sides" in pneumothorax.reason


def test_ensemble_of_one_is_unavailable_with_the_remedy() -> None:
    context, image_id, _ = context_of(phantom())
    failure = classify.run(context, {"image_id": image_id, "ensemble": True}).failure
    assert failure is not None and failure.kind == "unavailable" and "stub-classify" in failure.message


@pytest.mark.parametrize(("objects", "warned"), [(("chest_drain",), True), (("ett",), False), ((), False)])
def test_pneumothorax_beside_a_drain_warns_of_the_shortcut(objects: tuple[str, ...], warned: bool) -> None:
    """What is on the film is what the stub locator is told to see."""
    film = phantom()
    sights = sights_of(film, dict.fromkeys(objects, film.masks["left_lung"]), OBJECTS)
    context, image_id, _ = context_of(film, sights=sights, scores={"pneumothorax": 0.8, "effusion": 0.8})
    told = classify.run(context, {"image_id": image_id})
    assert any("take drains for pneumothorax" in caveat for caveat in told.caveats) is warned
    other = classify.run(context, {"image_id": image_id, "findings": ["effusion"]})
    assert not any("drain" in caveat for caveat in other.caveats)


def test_weak_finding_tells_its_measured_figures_and_a_strong_one_does_not() -> None:
    """Expected: the embedded card's own figures; nodules and emphysema are the two that it tells least well."""
    embedded = ModelPool(device="cpu", profile="embedded").card("embedded-classifier")
    judged = [Finding(code=code, image_id="a", status=Status.ABSENT) for code in ("nodule", "emphysema", "effusion")]
    nodule, emphysema = worth_warnings(embedded, judged, [item.code for item in judged])
    known = embedded.finding("nodule")
    assert known is not None and f"Nodule is told weakly: AUROC {known.auroc} on 72" in nodule
    assert "of 9 synthetic ones found" in emphysema
    assert worth_warnings(embedded, judged, None) == [], "in an overview only what is seen"
    seen = [item.model_copy(update={"status": Status.PRESENT}) for item in judged]
    assert worth_warnings(embedded, seen, None)[0].endswith("nodule and emphysema.")
