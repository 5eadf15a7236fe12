"""The card of a catalog model, made without loading it: the TOML beside its weights, or the catalog's own words."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from imaging.failures import Unavailable
from models.card import FindingCard, ModelCard
from models.catalog import CatalogEntry, SourceKind
from models.outputs import ScoreKind, Task
from models.weights import Presence, card_path, folder_mark, pulled, sha256_of

OPERATING_POINT = 0.5
"""torchxrayvision's op_norm puts each finding's operating point here (torchxrayvision.models.op_norm)."""

OPERATING_BAND = 0.05
"""Half-width of the uncertain band around the operating point. A choice of ours, not a measured one."""

SIGMOID_BAND = 0.2
"""The same around the middle of a sigmoid whose operating point nobody published: wider, as less is known."""

REVISION_DIGITS = 12
"""Hex digits of the weights' sha256 that a revision carries where nothing was pinned."""

OPERATING_MEANING = (
    "Scaled so that 0.5 is the operating point torchxrayvision chose for this finding; not a probability. Scores of "
    "two findings cannot be compared."
)

OPERATING_LIMITS = (
    "Not measured by Hilum; the operating points are torchxrayvision's.",
    "The uncertain band of 0.45 to 0.55 is Hilum's choice, not a measured one.",
    "Sees the middle square of the film only: the ends of the long side are cut off.",
    "The weight file was not compared with a known sha256: upstream publishes none.",
)


SHARE_MEANING = "The model's softmax share of each choice; not calibrated, not a probability."
NUMBER_MEANING = "The model's estimate in {unit}, without an interval."

UNMEASURED = "Not measured by Hilum."


@dataclass(frozen=True)
class Kind:
    """What the answers of some tasks are: their score, what it means, and what holds of every model of them."""

    tasks: frozenset[Task]
    score_kind: ScoreKind
    meaning: str
    limits: tuple[str, ...] = ()


TEXT = Kind(
    frozenset({Task.REPORT, Task.ANSWER}),
    ScoreKind.NONE,
    "It writes text and gives no score; how sure it sounds says nothing about how sure it may be.",
    ("It can state what is not on the film: every sentence needs a reader.",),
)
"""Also what models in workers give, whatever their task."""

KINDS = (
    Kind(
        frozenset({Task.CLASSIFY, Task.TB_SCREEN}),
        ScoreKind.SIGMOID,
        "The model's own sigmoid or share in [0, 1], as its authors' code gives it; not calibrated, not a probability.",
        (
            "No operating points were published with the weights: 0.5 is the middle of the scale, and the uncertain "
            "band of 0.3 to 0.7 is Hilum's choice.",
        ),
    ),
    Kind(
        frozenset({Task.SEGMENT}),
        ScoreKind.MASK_PROBABILITY,
        "Mean of the model's own sigmoid over the mask's pixels; not a Dice.",
    ),
    Kind(
        frozenset({Task.COVID_SEVERITY}),
        ScoreKind.MEASUREMENT,
        "Two scores of experts as lines through one logit give them: geographic extent 0 to 8, opacity 0 to 6.",
        ("It reads how opaque the lungs are, whatever the cause.",),
    ),
    Kind(
        frozenset({Task.RECONSTRUCT}),
        ScoreKind.MEASUREMENT,
        "Mean absolute difference, over the pixels the network sees, between the film and its reconstruction, both on "
        "a scale of 0 to 1. 0 is a perfect copy; the more a film differs from those of training, the larger.",
        (
            "No threshold is known for it: compare a film's score with those of many films of the same source.",
            "Noise, collimation and burnt-in text raise it as disease does; a film copied well may still be abnormal.",
        ),
    ),
    Kind(
        frozenset({Task.ZERO_SHOT}),
        ScoreKind.SIMILARITY,
        'A phrase\'s share against its denial ("no ...") by similarity to the film; not a probability, and scores of '
        "two phrases cannot be compared.",
        ("Depends on the wording: try another phrase before believing a score.",),
    ),
    Kind(
        frozenset({Task.PHRASE}),
        ScoreKind.SIMILARITY,
        "A heatmap's cell is a phrase's score if all of the film looked like that cell; not a probability.",
        ("Where a phrase is found was not taught to models of whole pictures: a heatmap is a hint, no outline.",),
    ),
    Kind(
        frozenset({Task.PROMPTED}),
        ScoreKind.MASK_PROBABILITY,
        "Mean of the mask's own sigmoid; not a Dice and not a probability of disease.",
        ("It outlines something for every box or point, also where there is nothing.",),
    ),
    TEXT,
    Kind(
        frozenset({Task.EMBED, Task.EMBED_TEXT}),
        ScoreKind.SIMILARITY,
        "Cosine similarity of two vectors of the same space; not a probability.",
    ),
    Kind(
        frozenset({Task.ENHANCE}),
        ScoreKind.NONE,
        "It draws a picture and gives no score.",
        ("The picture was computed: it can lack what the film shows and show what it lacks.",),
    ),
    Kind(
        frozenset({Task.GENERATE}),
        ScoreKind.NONE,
        "It draws a picture and gives no score.",
        ("A drawn film shows no patient. It may lack what the words say and show what they do not.",),
    ),
)
"""In the order in which the first that fits gives a card its score kind."""

TRAIT_LIMITS = (
    "Not measured by Hilum.",
    "Sees the middle square of the film only: the ends of the long side are cut off.",
    "The weight file was not compared with a known sha256: upstream publishes none.",
)


def describe(entry: CatalogEntry, presence: Presence) -> ModelCard:
    """The card of a model.

    Raises:
        Unavailable: its card should lie beside the weights and does not, or is not a usable card.
    """
    beside = card_path(presence.path) if presence.path else None
    if beside is not None:
        card = _read(beside)
        return card if card.task in entry.tasks else _borrowed(entry, card)
    if entry.adapter == "txrv_attributes":
        return _of_trait(entry, presence)
    if entry.source.kind is SourceKind.EMBEDDED:
        raise Unavailable(
            f"{entry.id} has no card: {presence.reason or 'none lies beside its weights'}.", presence.remedy
        )
    if entry.adapter == "torchxrayvision":
        return _from_catalog(entry, presence)
    return _of_task(entry, presence)


def _of_task(entry: CatalogEntry, presence: Presence) -> ModelCard:
    """The card of a model that Hilum did not measure: what the catalog says, and what its kind of answer means."""
    source = entry.source
    answers = [TEXT] if entry.worker else [kind for kind in KINDS if kind.tasks & set(entry.tasks)]
    limits = [limit for kind in answers for limit in kind.limits]
    return ModelCard(
        id=entry.id,
        title=entry.title,
        task=entry.tasks[0],
        revision=_revision(entry, presence),
        licence=entry.licence,
        source=source.url or source.repo or source.package or source.file or "supplied by you",
        training_data=entry.training_data,
        score_kind=answers[0].score_kind if answers else ScoreKind.SIGMOID,
        score_meaning=" ".join(kind.meaning for kind in answers) or "The model's own score; not a probability.",
        limits=[*entry.limits, *dict.fromkeys(limits), UNMEASURED],
        references=[entry.reference],
        findings=_findings(entry, SIGMOID_BAND) if {Task.CLASSIFY, Task.TB_SCREEN} & set(entry.tasks) else [],
    )


def _borrowed(entry: CatalogEntry, card: ModelCard) -> ModelCard:
    """The card of an embedded model whose weights another task's card describes."""
    [kind] = [kind for kind in KINDS if entry.tasks[0] in kind.tasks]
    told = {
        "id": entry.id,
        "title": entry.title,
        "task": entry.tasks[0],
        "score_kind": kind.score_kind,
        "score_meaning": kind.meaning,
        "limits": [*entry.limits, *kind.limits, UNMEASURED],
        "measured_on": "not measured by Hilum",
        "findings": [],
        "structures": [],
    }
    return card.model_copy(update=told)


def _read(path: Path) -> ModelCard:
    try:
        return ModelCard.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Unavailable(f"{path} is not a usable card: {error}", "Make it again with its recipe.") from error


def _revision(entry: CatalogEntry, presence: Presence) -> str:
    """The commit that was pulled, else what the catalog says with a mark of the very files that are here."""
    revision = entry.source.revision or "unknown"
    if presence.path is None:
        return revision
    if entry.source.kind is SourceKind.HUB:
        commit = pulled(entry, presence.path).get("revision")
        if commit or entry.worker is not None:
            return str(commit or revision)
    if not presence.present:
        return revision
    if presence.path.is_dir():
        return f"{revision}+files.{folder_mark(presence.path)[:REVISION_DIGITS]}"
    return f"{revision}+sha256.{sha256_of(presence.path)[:REVISION_DIGITS]}"


def _of_trait(entry: CatalogEntry, presence: Presence) -> ModelCard:
    number = len(entry.labels) == 1
    return ModelCard(
        id=entry.id,
        title=entry.title,
        task=Task.ATTRIBUTES,
        revision=_revision(entry, presence),
        licence=entry.licence,
        source=entry.source.url or entry.source.file,
        training_data=entry.training_data,
        score_kind=ScoreKind.MEASUREMENT if number else ScoreKind.SIGMOID,
        score_meaning=NUMBER_MEANING.format(unit=entry.labels[0]) if number else SHARE_MEANING,
        limits=[*entry.limits, *TRAIT_LIMITS],
        references=[entry.reference],
    )


def _from_catalog(entry: CatalogEntry, presence: Presence) -> ModelCard:
    source = entry.source
    revision = _revision(entry, presence)
    return ModelCard(
        id=entry.id,
        title=entry.title,
        task=Task.CLASSIFY,
        revision=revision,
        licence=entry.licence,
        source=source.url or source.repo or source.file,
        training_data=entry.training_data,
        score_kind=ScoreKind.OPERATING_POINT,
        score_meaning=OPERATING_MEANING,
        limits=[*entry.limits, *OPERATING_LIMITS],
        references=[entry.reference],
        findings=_findings(entry, OPERATING_BAND),
    )


def _findings(entry: CatalogEntry, band: float) -> list[FindingCard]:
    """A card for each label, with the middle of the scale as threshold and an uncertain band around it."""
    return [
        FindingCard(
            code=code,
            label=label.replace("_", " "),
            threshold=OPERATING_POINT,
            uncertain_low=OPERATING_POINT - band,
            uncertain_high=OPERATING_POINT + band,
        )
        for code, label in zip(entry.finding_codes(), entry.labels, strict=True)
    ]
