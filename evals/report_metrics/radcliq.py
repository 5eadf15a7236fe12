"""RadCliQ-v1 (Yu et al., Patterns 2023): errors a radiologist would count, foretold from four metrics. Lower is better.

A linear combination of RadGraph F1, BERTScore, the cosine of CheXbert's vectors (Smit et al., EMNLP 2020) and BLEU-2,
each standardised by the 160 reports it was fitted on. The published BLEU weight is 0 to eleven decimals.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.bleu import BLEU

from evals.report_metrics.bertscore import LAYERS, precision_recall_f1
from evals.report_metrics.encoders import Encoder, encoder
from evals.report_metrics.graphs import FILES, combined, compared, graphs
from evals.report_metrics.metric import DIGITS, Pairs, Score, Scored, Supplied, mean_of
from imaging.failures import BadArguments

PARTS = ("radgraph", "bertscore", "chexbert_cosine", "bleu_2")
MEAN = np.array([0.53792312, 0.61757256, 0.76479421, 0.44738335])
SCALE = np.array([0.30282584, 0.22430938, 0.25394391, 0.29892717])
WEIGHT = np.array([-3.77083683e-01, -3.70300100e-01, -2.52616218e-01, 4.31504841e-12])
INTERCEPT = 2.46655256e-10
"""In the order of PARTS: of the authors' radcliq-v1, as RadEval (Apache-2.0) writes it out in radcliq.py."""
ENCODER = ("roberta", 6)
"""distilroberta-base, whose BERTScore the weights are of."""
BASELINE_F1 = 0.8473319
"""Its BERTScore of unrelated sentences at layer 5, by which the published one is rescaled (bert-score 0.3.13)."""


def composite(parts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """RadCliQ-v1 of rows [n, 4] in the order of PARTS."""
    found: npt.NDArray[np.float64] = (parts - MEAN) / SCALE @ WEIGHT + INTERCEPT
    return found


def ready(supplied: Supplied) -> Score:
    """RadCliQ-v1 from RadGraph's annotations, distilroberta-base and CheXbert's encoder.

    Raises:
        Unavailable: one of them is absent.
        BadArguments: the encoder supplied as `bert` is another one.
    """
    candidates, references = (graphs(supplied, name) for name in FILES)
    bert, _ = encoder(supplied, "bert", "RadCliQ")
    if bert.kind != ENCODER:
        raise BadArguments(
            f"RadCliQ's weights are of distilroberta-base (roberta, 6 layers), and bert is {bert.kind}.",
            "Give the folder of distilroberta-base: --supply bert=FOLDER.",
        )
    chexbert, _ = encoder(supplied, "chexbert", "RadCliQ")

    def score(pairs: Pairs) -> Scored:
        triples, _ = precision_recall_f1(bert, LAYERS[ENCODER], pairs.candidates, pairs.references)
        columns = (
            combined(compared(candidates, references, pairs)),
            [(triple[2] - BASELINE_F1) / (1 - BASELINE_F1) for triple in triples],
            cosines(chexbert, pairs),
            [bleu_2(a, b) for a, b in zip(pairs.candidates, pairs.references, strict=True)],
        )
        rows = np.array(columns, dtype=np.float64).T
        parts = {name: round(float(value), DIGITS) for name, value in zip(PARTS, rows.mean(axis=0), strict=True)}
        return mean_of(composite(rows).tolist(), parts=parts, lower_is_better=True)

    return score


def cosines(chexbert: Encoder, pairs: Pairs) -> list[float]:
    """Cosine of the vectors of the token that opens each report, in the last layer."""
    last = chexbert.kind[1]
    ours, theirs = (
        np.array([text.vectors[0] for text in chexbert.read(texts, last)])
        for texts in (pairs.candidates, pairs.references)
    )
    found = (ours * theirs).sum(axis=1) / (np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1))
    return [float(value) for value in found]


def bleu_2(candidate: str, reference: str) -> float:
    """BLEU of one- and two-word phrases of one pair, 0 to 1."""
    scorer = BLEU(max_ngram_order=2, effective_order=True, lowercase=True)
    return float(scorer.sentence_score(candidate, [reference]).score) / 100
