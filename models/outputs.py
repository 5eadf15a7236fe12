"""What models return: labelled arrays, in the film's own geometry where they are pictures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Task(StrEnum):
    """The tasks a model can serve; a tool's `needs` names them."""

    CLASSIFY = "classify"
    SEGMENT = "segment"
    GROUND = "ground"
    DETECT = "detect"
    EXPLAIN = "explain"
    TB_SCREEN = "tb_screen"
    COVID_SEVERITY = "covid_severity"
    QUALITY = "quality"
    ATTRIBUTES = "attributes"
    ANOMALY = "anomaly"
    EMBED = "embed"
    RECONSTRUCT = "reconstruct"
    ZERO_SHOT = "zero_shot"
    PROMPTED = "prompted"
    PHRASE = "phrase"
    REPORT = "report"
    ANSWER = "answer"
    EMBED_TEXT = "embed_text"
    GENERATE = "generate"
    ENHANCE = "enhance"

    @property
    def asks(self) -> bool:
        """Whether a model of this task reads a Question; the others see the film alone."""
        return self in _ASKING


_ASKING = frozenset(
    {
        Task.EXPLAIN,
        Task.ANOMALY,
        Task.ZERO_SHOT,
        Task.PROMPTED,
        Task.PHRASE,
        Task.REPORT,
        Task.ANSWER,
        Task.EMBED_TEXT,
        Task.GENERATE,
    }
)


class ScoreKind(StrEnum):
    """What a score is. Only CALIBRATED_PROBABILITY may be called a probability on screen or in a report."""

    CALIBRATED_PROBABILITY = "calibrated_probability"
    OPERATING_POINT = "operating_point_scaled"
    """0.5 is the model's operating point (torchxrayvision `op_threshs`); not a probability."""
    SIGMOID = "uncalibrated_sigmoid"
    MASK_PROBABILITY = "mask_probability"
    SIMILARITY = "raw_similarity"
    MEASUREMENT = "measurement"
    NONE = "no_score"
    """It writes or draws and scores nothing."""


@dataclass(frozen=True)
class Scores:
    """One film's finding scores.

    Attributes:
        codes: n finding codes of tools/knowledge/findings.toml (or the model's own label where none maps).
        values: float32 [n] in [0, 1]; what they mean is the card's `score_kind`.
        spread: of a mean over models: float32 [n], the largest less the smallest score among them; else None.
    """

    codes: tuple[str, ...]
    values: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Masks:
    """One film's structures.

    Attributes:
        codes: n structure codes, sides are the patient's (left_lung, right_lung, heart ...).
        masks: bool [n, H, W] in the film's own geometry.
        quality: float32 [n] in [0, 1], mean certainty of the mask's pixels; not a Dice.
    """

    codes: tuple[str, ...]
    masks: npt.NDArray[np.bool_]
    quality: npt.NDArray[np.float32]

    def get(self, code: str) -> npt.NDArray[np.bool_]:
        """bool [H, W] of one structure; KeyError with the known codes if this model does not make it."""
        if code not in self.codes:
            raise KeyError(f"{code!r} is not one of {', '.join(self.codes)}")
        mask: npt.NDArray[np.bool_] = self.masks[self.codes.index(code)]
        return mask


@dataclass(frozen=True)
class Heatmaps:
    """Where on the film a finding's score comes from.

    Attributes:
        codes: n finding codes.
        values: float32 [n]: the score of each finding, as the classifying model gives it.
        maps: float32 [n, h, w] in [0, 1], a coarse grid.
        extent: (row_min, col_min, row_max, col_max) in the film's pixels that the grid covers.
        tips: float32 [n, 3]: row and column, in the film's pixels, of where a tube or line ends, and the probability
            that it ends about there; NaN for codes without an end. None of a model that tells no tips.
    """

    codes: tuple[str, ...]
    values: npt.NDArray[np.float32]
    maps: npt.NDArray[np.float32]
    extent: tuple[float, float, float, float]
    tips: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Attributes:
    """What a model takes one trait of the film or the patient to be. Not what the header says, and never in its place.

    Attributes:
        trait: "view", "age_years", "sex", "race" or "covid_severity".
        labels: the n choices; one label, the unit, for a number; the names of the numbers where there are several.
        values: float32 [n]: the share of each choice in [0, 1], summing to 1 and not calibrated, or the numbers.
    """

    trait: str
    labels: tuple[str, ...]
    values: npt.NDArray[np.float32]

    @property
    def choice(self) -> str:
        """The label with the largest value."""
        return self.labels[int(np.argmax(self.values))]


@dataclass(frozen=True)
class Quality:
    """What kind of picture a film is and how it lies. Scores are in [0, 1]; what they mean is the card's `score_kind`.

    What follows `is_chest_score` is meant for chest films only; it says nothing on another picture.

    Attributes:
        is_chest: the verdict, from the card's threshold.
        is_chest_score: that this is a radiograph of the chest.
        turned_deg: quarter turns clockwise, in degrees, by which the picture looks turned from upright: 0 to 270.
        turned_score: of that turn.
        mirrored: whether left and right look exchanged; None where the picture does not say.
        mirrored_score: that they are.
        inverted: whether dense looks black.
        inverted_score: that it does.
        view: "PA", "AP" or "LATERAL"; "FRONTAL" where PA and AP cannot be told apart.
        view_scores: float32 [3], of PA, AP and LATERAL.
        cut_edges: where lung looks cut off: "apices", "bases", "left", "right" (the patient's).
        cut_scores: float32 [4], of these four in this order.
        inspiration: depth of the breath, 0 (7 posterior ribs above the diaphragm, or fewer) to 1 (10 or more); None
            where the ribs cannot be counted.
    """

    is_chest: bool
    is_chest_score: float
    turned_deg: int
    turned_score: float
    mirrored: bool | None
    mirrored_score: float
    inverted: bool
    inverted_score: float
    view: str
    view_scores: npt.NDArray[np.float32]
    cut_edges: tuple[str, ...]
    cut_scores: npt.NDArray[np.float32]
    inspiration: float | None


@dataclass(frozen=True)
class Embedding:
    """One film or text as a vector.

    Attributes:
        values: float32 [n], of Euclidean length 1.
        space: name of the vector space; only vectors of one space may be compared.
    """

    values: npt.NDArray[np.float32]
    space: str


@dataclass(frozen=True)
class Text:
    """What a model wrote.

    Attributes:
        text: as written, without the prompt and special tokens.
        boxes: (row_min, col_min, row_max, col_max) in the film's pixels that the model gave for its sentences.
        phrases: the sentence or phrase of each box.
        truncated: whether it stopped at the longest text allowed.
    """

    text: str
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    phrases: tuple[str, ...] = ()
    truncated: bool = False


@dataclass(frozen=True)
class Picture:
    """A film that a model made: generated from words, or another's reconstruction.

    Attributes:
        pixels: float32 [H, W] in [0, 1], 1 = dense.
        what: in words, for captions ("reconstruction", "generated", "bone suppressed").
        extent: (row_min, col_min, row_max, col_max) in the pixels of the film it shows; None where it shows none.
        score: how far a reconstruction is from its film, by the definition in the card's `score_meaning`; else None.
    """

    pixels: npt.NDArray[np.float32]
    what: str
    extent: tuple[float, float, float, float] | None = None
    score: float | None = None


@dataclass(frozen=True)
class Unusual:
    """How far a film is from normal ones.

    Attributes:
        score: a distance; what it means is the card's `score_meaning`.
        percentile: share of normal films of `population` with a lower score, in (0, 1).
        population: the normal films it was ranked among.
        ratio: float32 [h, w]: distance at each cell over that of these films there, 1 = as they are.
        extent: (row_min, col_min, row_max, col_max) in the film's pixels that the cells cover.
    """

    score: float
    percentile: float
    population: str
    ratio: npt.NDArray[np.float32]
    extent: tuple[float, float, float, float]


Output = Scores | Masks | Heatmaps | Attributes | Quality | Embedding | Text | Picture | Unusual

KINDS: tuple[type[Output], ...] = (Scores, Masks, Heatmaps, Attributes, Quality, Embedding, Text, Picture, Unusual)
"""Every output class, for those who write and read them (models.wire)."""
