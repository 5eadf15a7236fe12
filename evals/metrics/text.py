"""Of texts: BLEU, ROUGE-L, METEOR and CIDEr of a set of reports, and F1 of the labels our report reader gives them.

The label F1 is in the manner of CheXbert (Smit et al. 2020) but by Hilum's own reader, tools.reading: figures are not
comparable with CheXbert's. METEOR matches words and stems, without WordNet's synonyms.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from tools.reading import read
from tools.reading.labels import Value, labels_of

ORDERS = 4
CIDER_SIGMA = 6.0
"""Width of CIDEr-D's penalty for a difference of length (Vedantam et al. 2015)."""
LABEL_SET = "nih14"
NORMAL = "Normal"


class _NoSynonyms:
    """A WordNet that knows no word."""

    def synsets(self, word: str) -> list[object]:
        """None."""
        return []


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return re.findall(r"\w+", text.lower())


def bleu(candidates: Sequence[str], references: Sequence[str], order: int = ORDERS) -> float:
    """Corpus BLEU by sacrebleu, 0 to 1."""
    scorer = BLEU(max_ngram_order=order, lowercase=True)
    return float(scorer.corpus_score(list(candidates), [list(references)]).score) / 100


def rouge_l(candidates: Sequence[str], references: Sequence[str]) -> float:
    """Mean ROUGE-L F-measure on stemmed words, by rouge-score."""
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    pairs = zip(candidates, references, strict=True)
    return float(np.mean([scorer.score(reference, candidate)["rougeL"].fmeasure for candidate, reference in pairs]))


def meteor(candidates: Sequence[str], references: Sequence[str]) -> float:
    """Mean METEOR (Banerjee and Lavie 2005) by nltk, exact words and Porter stems."""
    stemmer, nothing = PorterStemmer(), _NoSynonyms()
    return float(
        np.mean(
            [
                single_meteor_score(words(reference), words(candidate), stemmer=stemmer, wordnet=nothing)
                for candidate, reference in zip(candidates, references, strict=True)
            ]
        )
    )


def cider(candidates: Sequence[str], references: Sequence[str]) -> float:
    """CIDEr-D (Vedantam et al. 2015) with one reference each, 0 to 10; n-grams are as rare as among the references."""
    told = [[_grams(words(text), n) for n in range(1, ORDERS + 1)] for text in references]
    said = [[_grams(words(text), n) for n in range(1, ORDERS + 1)] for text in candidates]
    rarity: Counter[tuple[str, ...]] = Counter(gram for text in told for grams in text for gram in grams)
    total = math.log(max(len(references), 1))

    def weighed(grams: Counter[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
        return {gram: count * (total - math.log(max(rarity[gram], 1))) for gram, count in grams.items()}

    scores = []
    for ours, theirs in zip(said, told, strict=True):
        apart = sum(ours[0].values()) - sum(theirs[0].values())
        penalty = math.exp(-(apart**2) / (2 * CIDER_SIGMA**2))
        orders = zip(ours, theirs, strict=True)
        scores.append(10 * penalty * np.mean([_clipped_cosine(weighed(a), weighed(b)) for a, b in orders]))
    return float(np.mean(scores))


def label_f1(
    candidates: Sequence[str], references: Sequence[str], label_set: str = LABEL_SET
) -> tuple[float | None, dict[str, float]]:
    """(micro F1, F1 by label) of the labels that Hilum's report reader finds; labels in neither are left out."""
    ours, theirs = ([labels_of(read(text, "en"), label_set) for text in texts] for texts in (candidates, references))
    names = [name for name in (theirs[0] if theirs else {}) if name != NORMAL]
    counts = {name: _counts(ours, theirs, name) for name in names}
    used = {name: count for name, count in counts.items() if sum(count)}
    micro = [sum(count[i] for count in used.values()) for i in range(3)]
    by_label = {name: 2 * a / (2 * a + b + c) for name, (a, b, c) in used.items()}
    return (2 * micro[0] / (2 * micro[0] + micro[1] + micro[2]) if used else None), by_label


def _counts(ours: Sequence[dict[str, Value]], theirs: Sequence[dict[str, Value]], name: str) -> tuple[int, int, int]:
    pairs = [(a[name] is Value.PRESENT, b[name] is Value.PRESENT) for a, b in zip(ours, theirs, strict=True)]
    both: Callable[[bool, bool], int] = lambda x, y: sum(pair == (x, y) for pair in pairs)  # noqa: E731
    return both(True, True), both(True, False), both(False, True)


def _grams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _clipped_cosine(ours: dict[tuple[str, ...], float], theirs: dict[tuple[str, ...], float]) -> float:
    """Cosine in which no n-gram counts more often than the reference has it."""
    lengths = [math.sqrt(sum(value**2 for value in each.values())) for each in (ours, theirs)]
    if not all(lengths):
        return 0.0
    return sum(min(ours[g], theirs[g]) * theirs[g] for g in ours.keys() & theirs.keys()) / (lengths[0] * lengths[1])
