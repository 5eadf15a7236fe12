"""score_report: differences that a reader can check, and lexical numbers against the libraries' own definition."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tools.contract import Result
from tools.score_report import ScoreReportData, score_report
from tools.scoring import DifferenceKind, lexical
from tools.scoring.clinical import f1

CANDIDATE = (
    "Small left pleural effusion. No pneumothorax. The heart is enlarged. Nodule in the right upper lobe. "
    "Opacity at the right base. Mild edema. Atelectasis."
)
REFERENCE = (
    "Moderate right pleural effusion. Small apical pneumothorax. Normal heart size. Right lower lobe consolidation. "
    "Severe edema. Pleural thickening. Possible atelectasis."
)


def run(candidate: str, reference: str, **more: Any) -> Result:
    return score_report.run(cast(Any, None), {"candidate": candidate, "reference": reference, **more})


def data_of(result: Result) -> ScoreReportData:
    assert isinstance(result.data, ScoreReportData), result.failure
    return result.data


def test_each_kind_of_difference_is_told() -> None:
    rows = {row.code: row.kind for row in data_of(run(CANDIDATE, REFERENCE)).clinical.differences}
    assert rows == {
        "effusion": DifferenceKind.OTHER_SIDE,
        "pneumothorax": DifferenceKind.CONTRADICTED,
        "cardiomegaly": DifferenceKind.CONTRADICTED,
        "consolidation": DifferenceKind.OTHER_DETAIL,
        "edema": DifferenceKind.OTHER_SEVERITY,
        "pleural_thickening": DifferenceKind.MISSED,
        "atelectasis": DifferenceKind.OTHER_CERTAINTY,
        "nodule": DifferenceKind.ADDED,
    }


def test_equal_reports_agree_in_everything() -> None:
    scored = data_of(run(CANDIDATE, CANDIDATE))
    assert {row.kind for row in scored.clinical.differences} == {DifferenceKind.AGREED}
    assert scored.clinical.matched_share == scored.clinical.label_f1.f1 == scored.clinical.entity_f1.f1 == 1.0
    assert scored.lexical.rouge_l == scored.lexical.bleu["bleu_4"] == 1.0


def test_sides_are_paired_before_they_are_compared() -> None:
    rows = data_of(run("Right effusion. Left effusion.", "Left effusion. Right effusion.")).clinical.differences
    assert [row.kind for row in rows] == [DifferenceKind.AGREED] * 2


def test_lexical_numbers_by_hand() -> None:
    """ "a b c d" against "a b x d": 3 of 4 words, and a longest common subsequence of 3 of 4 on both sides."""
    scored = lexical("lungs are clear today", "lungs are quite today")
    assert scored.bleu["bleu_1"] == pytest.approx(3 / 4) and scored.rouge_l == pytest.approx(3 / 4)


def test_f1_of_sets_by_hand() -> None:
    """One of two is right, one of three is found: precision 1/2, recall 1/3, F1 2/5."""
    scored = f1({"a", "b"}, {"b", "c", "d"})
    assert (scored.precision, scored.recall, scored.f1) == (0.5, pytest.approx(1 / 3, abs=1e-4), 0.4)
    assert f1(set(), set()).f1 is None and f1({"a"}, set()).f1 == 0.0


def test_languages_are_told_apart_and_findings_still_meet() -> None:
    rows = data_of(
        run("Derrame pleural izquierdo de pequeño tamaño.", "Kleiner Pleuraerguss links.")
    ).clinical.differences
    assert [(row.code, row.kind) for row in rows] == [("effusion", DifferenceKind.AGREED)]


def test_summary_names_the_reader_and_the_differences() -> None:
    result = run(CANDIDATE, REFERENCE)
    assert result.summary.startswith("Of 8 findings: 2 contradicted, 1 missed, 1 added")
    assert "By Hilum's reader" in result.summary and len(result.summary) <= 1000
    assert "Neither report states a finding" in run("Fine.", "All good.").summary


@pytest.mark.parametrize(("candidate", "reference", "said"), [("1 2", "x", "draft"), ("x", "3", "reference")])
def test_texts_without_words_are_bad_arguments(candidate: str, reference: str, said: str) -> None:
    failure = run(candidate, reference).failure
    assert failure is not None and failure.kind == "bad_arguments" and said in failure.message
