"""zero_shot: verdicts by concepts, edited and run again; zero-shot models, findings in their place, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from stub_pool import context_of, phantom

from imaging.failures import BadArguments
from imaging.radiograph import Radiograph
from models.outputs import ScoreKind, Scores, Task
from models.predictions import Prediction
from models.request import Question
from tools.contract import Result, Status
from tools.knowledge import findings
from tools.knowledge.concepts import checklists
from tools.zero import listed_items, verdict_of
from tools.zero.scoring import Scored
from tools.zero_shot import ZeroShotData, zero_shot

WORDS = {"unicorn horn": 0.9, "an enlarged heart": 0.9, "pulmonary edema": 0.8, "pleural effusion": 0.1,
         "widened upper lung vessels": 0.05, "heart failure": 0.7, "fluid": 0.95}  # fmt: skip


def told(result: Result) -> ZeroShotData:
    assert isinstance(result.data, ZeroShotData), result.failure
    return result.data


def with_words(pool: Any, asked: list[tuple[str, ...]] | None = None) -> None:
    """Give the stub pool a zero-shot model that scores phrases by WORDS."""
    answer = pool.predict

    def predict(
        task: Task, films: Sequence[Radiograph], *, model_id: str | None = None, question: Question | None = None
    ) -> list[Prediction]:
        if task is not Task.ZERO_SHOT:
            made: list[Prediction] = answer(task, films, model_id=model_id)
            return made
        assert question is not None
        if asked is not None:
            asked.append(question.phrases)
        values = np.array([WORDS[phrase] for phrase in question.phrases], dtype=np.float32)
        card = pool.cards[task]
        return [Prediction(Scores(question.phrases, values), card, card.id, card.revision, False, 1.0) for _ in films]

    pool.predict = predict
    pool.outputs[Task.ZERO_SHOT] = Scores((), np.zeros(0, dtype=np.float32))


def test_checklists_name_findings_and_signs_of_the_ontology() -> None:
    for code, signs in checklists().items():
        assert code in findings() and len(signs) >= 2
        for sign in signs:
            assert sign.sign in findings(), (code, sign)
            assert sign.sign != code


def test_any_phrase_is_scored_by_a_zero_shot_model_and_labelled() -> None:
    context, image_id, pool = context_of(phantom())
    with_words(pool)
    result = zero_shot.run(context, {"image_id": image_id, "phrase": "unicorn horn"})
    data = told(result)
    assert (data.label, data.verdict, data.finding) == ("zero-shot", "supported", None)
    assert data.score == data.phrase_score == pytest.approx(0.9, abs=1e-4)
    assert "zero-shot by Stub zero_shot" in result.summary and result.findings == []
    assert any("ZERO-SHOT" in caveat and "no probability" in caveat for caveat in result.caveats)
    assert "probability" not in result.summary.replace("no probability", "")


def test_leaving_concepts_out_and_adding_some_changes_the_verdict() -> None:
    """Expected: geometric means by hand; (0.9 0.8 0.1 0.05)^(1/4) = 0.245, (0.9 0.8)^(1/2) = 0.849."""
    context, image_id, pool = context_of(phantom())
    asked: list[tuple[str, ...]] = []
    with_words(pool, asked)
    arguments = {"image_id": image_id, "finding": "heart_failure"}
    whole = told(zero_shot.run(context, arguments))
    assert whole.score == pytest.approx((0.9 * 0.8 * 0.1 * 0.05) ** 0.25, abs=1e-3) and whole.verdict == "not supported"
    result = zero_shot.run(context, {**arguments, "without": ["effusion", "upper lung vessels"]})
    fewer = told(result)
    assert fewer.score == pytest.approx(0.72**0.5, abs=1e-3) and fewer.verdict == "supported"
    assert [row.enabled for row in fewer.rows] == [True, True, False, False] and "Left out: pleural" in result.summary
    assert "pleural effusion" not in asked[-1], "what is left out is not asked"
    assert result.findings[0].status is Status.PRESENT and result.findings[0].score_kind is ScoreKind.SIMILARITY
    more = told(zero_shot.run(context, {**arguments, "also": ["fluid"]}))
    assert more.enabled == 5 and more.score > whole.score  # type: ignore[operator]
    own = told(zero_shot.run(context, {**arguments, "concepts": ["fluid"]}))
    assert [row.concept for row in own.rows] == ["fluid"] and own.verdict == "supported"


def test_without_a_zero_shot_model_findings_stand_for_concepts_and_the_answer_says_so() -> None:
    """The stub classifier: cardiomegaly 0.2 and effusion 0.8, threshold 0.5; it knows no edema."""
    context, image_id, _ = context_of(phantom())
    arguments = {"image_id": image_id, "finding": "heart_failure"}
    result = zero_shot.run(context, arguments)
    data = told(result)
    assert data.label == "signs in place of zero-shot" and (data.assessed, data.enabled) == (2, 4)
    assert data.score == 0.5 and data.verdict == "undecided"
    assert data.rows[0].read_as == "cardiomegaly" and data.rows[1].status is Status.NOT_ASSESSED
    assert result.findings[0].code == "heart_failure" and result.findings[0].status is Status.NOT_ASSESSED
    assert "neither prove nor exclude" in result.caveats[0]
    assert "Nothing here scores: pulmonary edema" in result.summary
    without = told(zero_shot.run(context, {**arguments, "without": ["an enlarged heart"]}))
    assert without.verdict == "undecided" and without.score is None, "one of three is too few"
    two = {**arguments, "concepts": ["pleural fluid", "big heart", "pneumothorax"]}
    assert told(zero_shot.run(context, two)).verdict == "not supported"
    assert told(zero_shot.run(context, {**two, "without": ["pneumothorax", "big heart"]})).verdict == "supported"


def test_what_the_classifier_knows_is_its_own_answer_without_the_words_beside() -> None:
    context, image_id, _ = context_of(phantom())
    result = zero_shot.run(context, {"image_id": image_id, "phrase": "a large effusion on the left"})
    data = told(result)
    assert (data.label, data.finding, data.verdict) == ("classifier", "effusion", "supported")
    assert result.findings[0].score_kind is ScoreKind.CALIBRATED_PROBABILITY
    assert "'large left' was not judged" in result.caveats[0]


def test_what_nothing_here_can_score_is_unavailable_before_any_model_runs() -> None:
    context, image_id, pool = context_of(phantom())
    result = zero_shot.run(context, {"image_id": image_id, "phrase": "unicorn horn"})
    assert result.failure is not None and result.failure.kind == "unavailable"
    assert "hilum models pull biomedclip" in result.failure.hint and pool.calls == []


@pytest.mark.parametrize(
    "more",
    [{}, {"phrase": "  "}, {"phrase": "no effusion"}, {"phrase": "x" * 300}, {"finding": "sponge cake"},
     {"finding": "heart_failure", "without": ["a balloon"]}, {"phrase": "fluid", "without": ["fluid"]}],
    ids=["nothing", "empty", "denial", "long", "unknown", "no such concept", "nothing left"],
)  # fmt: skip
def test_bad_arguments_say_what_is_allowed(more: dict[str, Any]) -> None:
    context, image_id, pool = context_of(phantom())
    with_words(pool)
    result = zero_shot.run(context, {"image_id": image_id, **more})
    assert result.failure is not None and result.failure.kind == "bad_arguments" and result.failure.hint


def test_verdict_needs_half_of_the_concepts() -> None:
    items = listed_items(None, "x", ["fluid a", "fluid b", "fluid c"], (), ())
    rows = [
        Scored(items[0], 0.9, 0.5, Status.PRESENT, ""),
        *(Scored(i, None, None, Status.NOT_ASSESSED, "") for i in items[1:]),
    ]
    assert verdict_of(rows, by_words=True).leaning == "undecided"
    assert verdict_of(rows[:2], by_words=True).leaning == "supported"
    with pytest.raises(BadArguments, match="too many"):
        listed_items(None, "x", [f"sign {n}" for n in range(13)], (), ())
