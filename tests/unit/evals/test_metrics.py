"""Every metric against a reference implementation, a published worked example, or a figure worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import ndcg_score

from evals.metrics.boxes import Predicted, average_precision, centre, iou, points_inside
from evals.metrics.lists import change_figures, ndcg_at, recall_at
from evals.metrics.overlap import hd95, mask_iou, outline
from evals.metrics.ranking import auprc, auroc, ranked, sensitivity_at
from evals.metrics.text import bleu, cider, label_f1, meteor, rouge_l
from imaging.geometry import dice

RNG = np.random.default_rng(0)


def test_ranking_by_hand() -> None:
    truth, scores = np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])
    # scikit-learn's own documented examples: 0.75, and 0.83 for average precision.
    assert auroc(truth, scores) == 0.75
    assert auprc(truth, scores) == pytest.approx(0.8333, abs=1e-4)
    # Specificity of 1 allows a threshold of 0.8 alone; of a half also 0.35.
    assert sensitivity_at(truth, scores, 1.0) == 0.5 and sensitivity_at(truth, scores, 0.5) == 1.0


def test_intervals_are_over_patients() -> None:
    truth = RNG.random(120) < 0.4
    scores = truth + RNG.normal(size=120)
    alone = ranked(truth, scores, [str(n) for n in range(120)], scores > 0.5)
    assert alone.auroc.low < alone.auroc.value < alone.auroc.high  # type: ignore[operator]
    thrice = ranked(np.repeat(truth, 3), np.repeat(scores, 3), [str(n // 3) for n in range(360)])
    assert thrice.auroc.value == alone.auroc.value
    assert thrice.auroc.high - thrice.auroc.low == pytest.approx(alone.auroc.high - alone.auroc.low, rel=0.15)  # type: ignore[operator]
    assert alone.f1 is not None and thrice.f1 is None
    assert ranked([True, True], [0.1, 0.2], ["a", "b"]).auroc.value is None


def square(row: int, column: int, side: int) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[row : row + side, column : column + side] = True
    return mask


def test_overlap_of_squares() -> None:
    one, other = square(5, 5, 10), square(5, 10, 10)
    assert dice(one, other) == 0.5 and mask_iou(one, other) == pytest.approx(1 / 3)
    empty = np.zeros((40, 40), bool)
    assert dice(empty, empty) == mask_iou(empty, empty) == 1 and dice(one, empty) == 0
    assert hd95(one, one) == 0 and hd95(one, empty) is None
    assert hd95(square(5, 5, 1), square(5, 12, 1)) == 7 and hd95(square(5, 5, 1), square(9, 5, 1), (0.5, 1)) == 2


def test_hd95_against_all_distances() -> None:
    one = RNG.random((30, 30)) > 0.6
    other = RNG.random((30, 30)) > 0.6
    distances = cdist(np.argwhere(outline(one)), np.argwhere(outline(other)))
    expected = np.percentile(np.concatenate([distances.min(0), distances.min(1)]), 95)
    assert hd95(one, other) == pytest.approx(expected)


def test_boxes_by_hand() -> None:
    assert iou((0, 0, 10, 10), (0, 5, 10, 15)) == pytest.approx(1 / 3) and iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0
    assert centre((0, 0, 10, 20)) == (5, 10)
    assert points_inside((5, 10), [(0, 0, 10, 20)]) and not points_inside((10, 10), [(0, 0, 10, 20)])


def test_average_precision_by_hand() -> None:
    truth = {"a": [(0, 0, 10, 10)], "b": [(0, 0, 10, 10), (20, 20, 30, 30)], "c": [(0, 0, 10, 10)]}
    said = [
        Predicted("a", 0.9, (0, 0, 10, 10)),
        Predicted("b", 0.8, (50, 50, 60, 60)),
        Predicted("b", 0.7, (0, 0, 10, 9)),
        Predicted("b", 0.6, (0, 0, 10, 10)),
        Predicted("c", 0.5, (0, 0, 10, 10)),
    ]
    # Hits 1 0 1 0(second on one box) 1: precision 1, 2/3, 3/5 at recall 1/4, 2/4, 3/4; the fourth box is never found.
    assert average_precision(said, truth) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    assert average_precision([], truth) == 0 and average_precision(said, {}) is None


def test_texts_that_are_equal_and_that_share_nothing() -> None:
    texts = [
        "The heart is normal in size.",
        "A small left pleural effusion is seen today.",
        "Lungs are clear bilaterally.",
    ]
    others = ["xx yy zz ww vv uu", "qq rr ss tt oo pp", "aa bb cc dd ee ff"]
    assert bleu(texts, texts) == pytest.approx(1) and rouge_l(texts, texts) == pytest.approx(1)
    assert cider(texts, texts) == pytest.approx(10)
    assert rouge_l(others, texts) == meteor(others, texts) == cider(others, texts) == 0


def test_rouge_l_of_lins_example() -> None:
    # Lin (2004), section 3.1: "police killed the gunman" against two candidates: 3 of 4 words and 2 of 4.
    assert rouge_l(["police kill the gunman"], ["police killed the gunman"]) == pytest.approx(1.0), "by stems"
    assert rouge_l(["the gunman kill police"], ["police killed the gunman"]) == pytest.approx(0.5)


def test_meteor_by_its_formula() -> None:
    # Six of seven words match in two chunks: P = 6/7, R = 6/6, Fmean = 10PR / (R + 9P), penalty 0.5 (2/6)^3.
    precision, recall = 6 / 7, 1.0
    mean = 10 * precision * recall / (recall + 9 * precision)
    expected = mean * (1 - 0.5 * (2 / 6) ** 3)
    assert meteor(["the cat really sat on the mat"], ["the cat sat on the mat"]) == pytest.approx(expected)


def test_cider_by_hand() -> None:
    # Two references, one word each that differs: only that word has weight log 2, so order 1 alone scores, fully for
    # the first and not for the second, whose word is the other's.
    assert cider(["clear", "clear"], ["clear", "opaque"]) == pytest.approx((10 / 4 + 0) / 2)
    # One word longer: exp(-1 / 72), and the cosine falls by the second word's weight log 2.
    expected = 10 * math.exp(-1 / 72) / 4 / math.sqrt(2)
    assert cider(["clear noise", "opaque"], ["clear", "opaque"]) == pytest.approx((expected + 10 / 4) / 2)


def test_label_f1_reads_negation() -> None:
    references = ["There is a pleural effusion. No pneumothorax.", "Cardiomegaly.", "No acute disease."]
    candidates = ["Pleural effusion is present.", "The heart is normal.", "There is a pneumothorax."]
    micro, by_label = label_f1(candidates, references)
    assert by_label == {"Effusion": 1.0, "Cardiomegaly": 0.0, "Pneumothorax": 0.0}
    assert micro == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert label_f1(["Clear."], ["Clear lungs."]) == (None, {})


def test_ranked_lists_against_scikit_learn() -> None:
    gains = RNG.integers(0, 4, 12).astype(float)
    scores = RNG.normal(size=12)
    order = np.argsort(-scores)
    for k in (1, 3, 12):
        assert ndcg_at(list(gains[order]), list(gains), k) == pytest.approx(ndcg_score([gains], [scores], k=k))
    assert recall_at([True, False, True], 4, 2) == 0.25 and recall_at([], 0, 5) is None and ndcg_at([0], [0], 1) is None


def test_changes() -> None:
    accuracy, macro, counts = change_figures(
        ["new", "larger", "what", "smaller"], ["new", "larger", "larger", "resolved"]
    )
    assert accuracy == 0.5
    # F1: new 1, larger 2*1/(2+0+1), resolved 0.
    assert macro == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert counts["larger"] == {"larger": 1, "what": 1} and counts["resolved"] == {"smaller": 1}
