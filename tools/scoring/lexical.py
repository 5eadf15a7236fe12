"""How alike two texts are as words: BLEU (Papineni et al., ACL 2002) and ROUGE-L (Lin, ACL Workshop 2004)."""

from __future__ import annotations

from pydantic import BaseModel

BLEU_ORDERS = (1, 2, 3, 4)


class Lexical(BaseModel):
    """Likeness of words, each 0 to 1.

    Attributes:
        bleu: BLEU-1 to BLEU-4 of the draft, as sacrebleu counts them for one text (13a tokens, effective order).
        rouge_l: F-measure of the longest common subsequence, on stemmed words.
    """

    bleu: dict[str, float]
    rouge_l: float


def lexical(candidate: str, reference: str) -> Lexical:
    """BLEU and ROUGE-L of a draft against one reference."""
    # nltk, which rouge_score needs, takes seconds to import; only this tool pays for it.
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU

    bleu = {
        f"bleu_{order}": round(
            BLEU(max_ngram_order=order, effective_order=True).sentence_score(candidate, [reference]).score / 100, 4
        )
        for order in BLEU_ORDERS
    }
    scored = RougeScorer(["rougeL"], use_stemmer=True).score(reference, candidate)
    return Lexical(bleu=bleu, rouge_l=round(scored["rougeL"].fmeasure, 4))
