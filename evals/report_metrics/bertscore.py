"""BERTScore (Zhang et al., ICLR 2020): each token's best match among the other text's tokens by cosine, no idf.

Figures depend on the encoder and its layer; they are compared with nothing but figures of the same. Not rescaled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evals.report_metrics.encoders import Encoder, Tokens, encoder
from evals.report_metrics.metric import DIGITS, Pairs, Score, Scored, Supplied, f1_of, mean_of
from imaging.failures import BadArguments

LAYERS = {
    ("bert", 12): 9, ("bert", 24): 18, ("roberta", 6): 5, ("roberta", 12): 10, ("roberta", 24): 17,
    ("distilbert", 6): 5,
}  # fmt: skip
"""Architecture and depth -> the layer that agreed best with people (bert-score 0.3.13, English models so built)."""


def ready(supplied: Supplied) -> Score:
    """BERTScore by the encoder supplied as `bert`.

    Raises:
        Unavailable: there is none.
        BadArguments: no layer is known for it, or it has fewer.
    """
    made, chosen = encoder(supplied, "bert", "BERTScore")
    layer = layer_of(made, chosen)

    def score(pairs: Pairs) -> Scored:
        triples, cut = precision_recall_f1(made, layer, pairs.candidates, pairs.references)
        means = np.mean(triples, axis=0) if triples else (0.0, 0.0, 0.0)
        return mean_of(
            [triple[2] for triple in triples],
            precision=round(float(means[0]), DIGITS),
            recall=round(float(means[1]), DIGITS),
            encoder={"architecture": made.kind[0], "layers": made.kind[1], "layer": layer},
            texts_cut=cut,
        )

    return score


def layer_of(made: Encoder, chosen: int | None) -> int:
    """The layer that is used.

    Raises:
        BadArguments: none is known and none chosen, or the model has no such layer.
    """
    layer = chosen if chosen is not None else LAYERS.get(made.kind)
    if layer is None or not 0 <= layer <= made.kind[1]:
        what = f"layer {layer}" if layer is not None else "a layer by which others score with it"
        raise BadArguments(
            f"A {made.kind[0]} of {made.kind[1]} layers has not {what}.",
            f"Name one of 1 to {made.kind[1]}: --supply bert=FOLDER@N.",
        )
    return layer


def precision_recall_f1(
    made: Encoder, layer: int, candidates: Sequence[str], references: Sequence[str]
) -> tuple[list[tuple[float, float, float]], int]:
    """(precision, recall, F1) of each pair, and how many texts were too long and cut."""
    ours, theirs = (list(made.read(texts, layer)) for texts in (candidates, references))
    cut = sum(text.cut for text in (*ours, *theirs))
    return [matched(a, b) for a, b in zip(ours, theirs, strict=True)], cut


def matched(candidate: Tokens, reference: Tokens) -> tuple[float, float, float]:
    """(precision, recall, F1) of greedy matching; zeros where a text has no token of its own.

    Tokens that open and close a text are not counted, but may be matched, as in bert-score.
    """
    if not candidate.own.any() or not reference.own.any():
        return 0.0, 0.0, 0.0
    ours, theirs = (t.vectors / np.linalg.norm(t.vectors, axis=1, keepdims=True) for t in (candidate, reference))
    cosine = ours @ theirs.T
    precision = float(cosine.max(axis=1)[candidate.own].mean())
    recall = float(cosine.max(axis=0)[reference.own].mean())
    return precision, recall, f1_of(precision, recall)
