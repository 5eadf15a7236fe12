"""The README's table of what the embedded models are worth: rows taken from the cards, each with its command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from models.card import FindingCard, ModelCard

Row = tuple[str, str, str]
"""What was measured, on what, the figure with its 95 % interval."""

NAMED = ("effusion", "cardiomegaly", "pneumothorax")
"""Findings with rows of their own, beside the best and the worst."""
OUTLINED = (("left_lung", "JSRT"), ("left_lung", "Shenzhen"), ("heart", "JSRT"), ("left_clavicle", "JSRT"))
LOCATED = (
    ("Phantoms (synthetic), 60 held-out films", "effusion", "sensitivity", "effusion found, synthetic films with it"),
    (
        "Real films of held-out patients (JSRT, Montgomery, NIH; fold 0) labelled as without the class",
        "effusion", "called present", "effusion called, real films labelled as without it",
    ),
    (
        "NIH films (fold 0) labelled with effusion whose side was read by eye, by no radiologist",
        "effusion", "called present", "effusion found, real films labelled with it",
    ),
    (
        "NIH boxes (Wang et al. 2017), all on patients never trained on",
        "all", "pointing", "map's highest place lies in the box drawn by hand, any finding",
    ),
)  # fmt: skip


def worth_table(card: Callable[[str], ModelCard]) -> str:
    """Markdown: what was measured, on what, the figure, and the command that measures it anew.

    Args:
        card: gives the card of a catalog id.
    """
    parts = (
        ("embedded-classifier", _classified),
        ("embedded-segmenter", _outlined),
        ("embedded-locator", _located),
        ("embedded-quality", _checked),
        ("embedded-bone-suppressor", _suppressed),
    )
    lines = ["| what | measured on | figure (95 %) | again by |", "|---|---|---|---|"]
    for name, rows in parts:
        known = card(name)
        command = " ".join(known.reproduce.split(";")[0].split()[:3])
        lines += [f"| {what} | {on} | {figure} | `{command}` |" for what, on, figure in rows(known)]
    return "\n".join(lines)


def _classified(card: ModelCard) -> Iterator[Row]:
    ranked = sorted((item for item in card.findings if item.usable and item.auroc), key=_auroc, reverse=True)
    named = [item for item in ranked if item.code in NAMED]
    middle = median(map(_auroc, ranked))
    on = "1,318 NIH films, cross-validated by patient"
    yield f"AUROC, median of {len(ranked)} usable findings", on, f"{middle:.2f}"
    for told, item in (("best", ranked[0]), *(("", each) for each in named), ("worst", ranked[-1])):
        words = f"AUROC, {told + ': ' if told else ''}{item.code}"
        yield words, f"the same, {item.positives} with it", f"{_interval(item.auroc)}{_beside(item)}"


def _auroc(item: FindingCard) -> float:
    return item.auroc.value if item.auroc else 0.0


def _beside(item: FindingCard) -> str:
    if item.reference_auroc is None or item.auroc_on_reference_films is None:
        return ""
    return f"; on CheXNet's films {item.auroc_on_reference_films:.2f}, CheXNet {item.reference_auroc:.2f}"


def _outlined(card: ModelCard) -> Iterator[Row]:
    for code, source in OUTLINED:
        figures = next(structure.dice for structure in card.structures if structure.code == code)
        figure = next(figure for figure in figures if figure.dataset.startswith(source))
        yield f"Dice, {code.replace('_', ' ')}", f"{figure.dataset}, {figure.films} films", _interval(figure)


def _located(card: ModelCard) -> Iterator[Row]:
    for name, code, column, words in LOCATED:
        share = _measured(card)[name][code][column]
        yield words, f"{share['pictures']} films", _share(share)


def _checked(card: ModelCard) -> Iterator[Row]:
    other, films = _measured(card)["neg_test_folder"]["all"], _measured(card)["test_plain"]["all"]["refused"]
    yield "refused: pictures that are no chest film", f"{other['pictures']} pictures of unseen sources", _share(other)
    yield "refused: frontal chest films", f"{films['pictures']} real films of unseen patients", _share(films)


def _suppressed(card: ModelCard) -> Iterator[Row]:
    rows = {(row["figure"], row["dataset"].split()[0]): row for row in (card.model_extra or {})["figures"]}
    for key, words, on in (
        (("shadow_left", "phantoms"), "ribs' shadow left after suppression", "synthetic films"),
        (("nodule_contrast_kept", "JSRT,"), "nodules' contrast kept after suppression", "JSRT nodules"),
    ):
        row = rows[key]
        yield words, f"{row['number']} {on}", _share(row)


def _measured(card: ModelCard) -> dict[str, Any]:
    measured: dict[str, Any] = (card.model_extra or {})["measured"]
    return measured


def _interval(figure: Any) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}–{figure.high:.2f})"


def _share(share: dict[str, Any]) -> str:
    return f"{share['value']:.1%} ({share['low']:.1%}–{share['high']:.1%})"
