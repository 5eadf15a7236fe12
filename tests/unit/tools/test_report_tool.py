"""report: deterministic, bounded, every sentence with what it rests on, and never "normal"."""

from __future__ import annotations

import numpy as np
import pytest
from stub_pool import SCORES, context_of, masks_of, phantom

from tools.contract import Result, Status
from tools.measurements.heart import judge_ratio
from tools.report import ReportData, report
from tools.reporting.draft import QUOTED_MAX

LOW = {"effusion": 0.1, "pneumothorax": 0.1, "cardiomegaly": 0.1}


def data_of(result: Result) -> ReportData:
    assert isinstance(result.data, ReportData), result.failure
    return result.data


def test_every_sentence_rests_on_something() -> None:
    context, image_id, _ = context_of(phantom(3, "effusion:left:800ml"))
    data = data_of(report.run(context, {"image_id": image_id, "indication": "dyspnoea"}))
    assert [section.title for section in data.sections] == [
        "Indication", "Technique", "Comparison", "Findings", "Impression", "Not assessed"
    ]  # fmt: skip
    for section in data.sections:
        for sentence in section.sentences:
            assert sentence.basis and sentence.text.strip()


def test_positive_finding_is_localised_and_leads_the_impression() -> None:
    context, image_id, _ = context_of(phantom(3, "effusion:left:800ml"))
    data = data_of(report.run(context, {"image_id": image_id}))
    lead = data.section("Impression")[0]
    assert lead.text == "Pleural effusion, left lower zone."
    assert lead.basis == ["classify", "ground"] and lead.finding == "effusion" and lead.status is Status.PRESENT
    assert any("left lower zone" in sentence.text for sentence in data.section("Findings"))
    assert any("nodule" in sentence.text for sentence in data.section("Impression"))


def test_film_without_findings_is_not_called_normal() -> None:
    context, image_id, _ = context_of(phantom(3), scores=LOW)
    data = data_of(report.run(context, {"image_id": image_id}))
    assert "normal" not in data.text.lower()
    assert "No pleural effusion or pneumothorax (classifier)." in data.text
    assert "does not exclude" in data.section("Impression")[0].text


def test_what_was_not_assessed_is_listed() -> None:
    film = phantom(3)
    gone = masks_of(film, heart=np.zeros_like(film.masks["heart"]))
    context, image_id, _ = context_of(film, masks=gone)
    data = data_of(report.run(context, {"image_id": image_id}))
    told = " ".join(sentence.text for sentence in data.section("Not assessed"))
    assert "hiatal hernia" in told and "Cardiothoracic ratio" in told
    assert data.missing and data.missing[0].startswith("measure:")


@pytest.mark.parametrize(("ratio", "score"), [(0.62, 0.52), (0.62, 0.9), (0.4, 0.52)])
def test_a_measured_ratio_settles_the_heart(ratio: float, score: float) -> None:
    """Whether the heart is large is the phantom's; the classifier's band around 0.5 is uncertain."""
    film = phantom(3, f"cardiomegaly:{ratio}") if ratio > 0.5 else phantom(3)
    context, image_id, _ = context_of(film, scores=LOW | {"cardiomegaly": score})
    data = data_of(report.run(context, {"image_id": image_id}))
    told = [s for name in ("Findings", "Impression") for s in data.section(name) if s.finding == "cardiomegaly"]
    assert {s.status for s in told} == {judge_ratio(film.measures["cardiothoracic_ratio"], film.radiograph)[0]}
    assert not any("classifier decides" in s.text for s in told)


def test_disagreement_on_the_heart_is_said() -> None:
    context, image_id, _ = context_of(phantom(3, "cardiomegaly:0.62"))
    data = data_of(report.run(context, {"image_id": image_id}))
    assert "disagree on whether the heart is enlarged" in data.text
    assert any(s.text.startswith("Enlarged heart by its cardiothoracic ratio") for s in data.section("Impression"))
    context, image_id, _ = context_of(phantom(3, "cardiomegaly:0.5"), scores=SCORES | {"cardiomegaly": 0.9})
    data = data_of(report.run(context, {"image_id": image_id}))
    assert "cardiothoracic ratio" in data.text.lower()


def test_indication_is_quoted_and_bounded() -> None:
    context, image_id, _ = context_of(phantom(3))
    data = data_of(report.run(context, {"image_id": image_id, "indication": "cough " * 400}))
    [sentence] = data.section("Indication")
    assert len(sentence.text) <= QUOTED_MAX + 1 and sentence.basis == ["user"]
    assert len(data.text) < 4000
