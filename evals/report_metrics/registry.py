"""The metrics of reports by name. Those without `supplies` are always there; the others are asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evals.metrics import text
from evals.report_metrics import bertscore, graphs, green, radcliq, radfact
from evals.report_metrics.metric import DIGITS, Metric, Pairs, Score, Scored, Supplied
from imaging.failures import LIKE_ENOUGH, BadArguments, nearest


def _whole(measure: Callable[[Sequence[str], Sequence[str]], float]) -> Callable[[Supplied], Score]:
    """A metric of the whole set that needs nothing."""
    return lambda supplied: lambda pairs: Scored(measure(pairs.candidates, pairs.references))


def _label_f1(pairs: Pairs) -> Scored:
    micro, by_label = text.label_f1(pairs.candidates, pairs.references)
    return Scored(micro, more={"labels": {label: round(value, DIGITS) for label, value in by_label.items()}})


METRICS = {
    metric.name: metric
    for metric in (
        Metric("bleu_4", "BLEU-4 of the set (Papineni et al. 2002), sacrebleu", _whole(text.bleu)),
        Metric("rouge_l", "ROUGE-L (Lin 2004), stemmed", _whole(text.rouge_l)),
        Metric("meteor", "METEOR (Banerjee and Lavie 2005), words and stems, no synonyms", _whole(text.meteor)),
        Metric("cider", "CIDEr-D (Vedantam et al. 2015), 0 to 10", _whole(text.cider)),
        Metric("label_f1", "micro F1 of 14 labels in the manner of CheXbert, by Hilum's own report reader",
               lambda supplied: _label_f1),
        Metric("bertscore", "BERTScore F1 (Zhang et al. 2020), not rescaled", bertscore.ready, ("bert",)),
        Metric("radgraph", "RadGraph F1, the mean of entities' and relations' (Yu et al. 2023)", graphs.ready,
               graphs.FILES),
        Metric("green", "GREEN's formula (Ostmeier et al. 2024) by a judge of your choice", green.ready, ("judge",)),
        Metric("radfact", "logical F1 in the manner of RadFact (Bannur et al. 2024), judge of your choice",
               radfact.ready, ("judge",)),
        Metric("radcliq", "RadCliQ-v1 (Yu et al. 2023), lower is better", radcliq.ready,
               ("bert", "chexbert", *graphs.FILES)),
    )
}  # fmt: skip


def prepared(names: Sequence[str], supplied: Supplied) -> dict[str, Score]:
    """The metrics of these names, ready to score; those that need nothing where no name is given.

    Args:
        names: of METRICS.
        supplied: by the user.

    Raises:
        BadArguments: a name is none.
        Unavailable: something that one needs is absent, with the remedy.
    """
    for name in names:
        if name not in METRICS:
            guess = nearest(name, METRICS, LIKE_ENOUGH)
            raise BadArguments(f"There is no metric {name!r}.", f"{guess}There are: {', '.join(METRICS)}.")
    wanted = names or [metric.name for metric in METRICS.values() if not metric.supplies]
    return {name: METRICS[name].ready(supplied) for name in wanted}


def figures(scores: Mapping[str, Score], pairs: Pairs) -> dict[str, dict[str, Any]]:
    """Metric -> its figures, JSON-ready, with its title."""
    return {name: {"title": METRICS[name].title, **score(pairs).figures()} for name, score in scores.items()}
