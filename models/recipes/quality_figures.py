"""What the quality network is worth: shares with 95 % intervals per kind of picture, and the card that says so."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from models.preprocess import INPUT_MEAN, INPUT_SCALE, TONE_PERCENTILES
from models.quality import EDGES, QUALITY_SIDE, TURNS
from models.recipes.cards import INITIALISATION

Floats = npt.NDArray[np.float32]
Scores = dict[str, Floats]

CHEST, POSE, INVERTED, VIEW, CUT = 0, 1, 2, 3, slice(4, 8)
"""Columns of a truth table, as quality_pictures.COLUMNS."""

VERDICTS = {
    "chest": 0.5, "inverted": 0.5, "mirrored_low": 0.5, "mirrored_high": 0.98, "lateral": 0.9, "pa_low": 0.25,
    "pa_high": 0.75, **dict.fromkeys(EDGES, 0.25), "breath_cut": 0.5,
}  # fmt: skip
"""Thresholds on the scores. Set beforehand, but for mirroring and cut edges: see MEASURED_ON."""

UNTAUGHT = {"usable": False, "reason": "the network was not taught to tell it (models.recipes.quality_breath)"}
"""What a card says of the breath until models.recipes.quality_breath has taught it."""

TRAINING_DATA = (
    "Chest films: NIH ChestX-ray14 (Wang et al. 2017), JSRT (Shiraishi et al. 2000) and Montgomery County "
    "(Jaeger et al. "
    "2014), folds 1 to 4 of each; children of Kermany et al. 2018 (CC BY 4.0), folds 1 to 4; the permissively licensed "
    "part of Cohen et al. 2020. Each was turned by quarter turns, mirrored, inverted, cut, tilted, toned, soiled with "
    "letters and JPEG traces at random, with exact truth; where lung was cut off comes from human outlines (JSRT, "
    "Montgomery, Kermany) or the embedded segmenter's. Not chest films: pieces of those films without most of "
    "the lungs; "
    "drawn pictures of this project (noise, shapes, documents, screens, charts, codes, traces, CT-like slices, rough "
    "radiographs of hands, joints, pelves, backs, abdomens, skulls, jaws, breasts); and pictures of freely distributed "
    "packages: photographs, drawings and stamps, MR slices of two heads, CT slices and computed radiographs of one "
    "skull. None of these pictures is shipped. And 72 synthetic films of this project, 12 of them lateral. Trunk: "
    + INITIALISATION
    + ", unchanged."
)

SCORE_MEANING = (
    "Sigmoids and softmaxes of a network trained on balanced pictures: they rank pictures and are cut at the card's "
    "`verdicts`; none is a probability. `cut` scores are of lung cut off by the film's edge; `breath` is "
    "no score but posterior ribs above the diaphragm, 0 for 7 and 1 for 10."
)

MEASURED_ON = (
    "Patients and sources never trained on: fold 0 of NIH, JSRT, Montgomery and Kermany; all of Shenzhen and "
    "Hannover (other hospitals). test_plain: films as they are; test_posed: every third turned by 90 and 180 "
    "degrees, mirrored and inverted; test_drawn: every third as training draws them. neg_test_folder, sources "
    "never trained on: photographs of other packages and a cat, screenshots and diagrams of a manual, clip- "
    "art, maps, MR slices of other subjects (one a monkey). neg_medical: the distinct CT, MR, ultrasound, "
    "nuclear and other non-chest pictures among DICOM test files; two CT scouts of the thorax are left out, as "
    "they show a chest (both were taken for chest films). cut: sensitivity and specificity on test_drawn. "
    "Thresholds were set beforehand, but for two chosen after figures on these sets: the upper one of "
    "mirroring was raised from 0.7 to 0.98 because bedside films of Hannover were called mirrored, and those "
    "of cut edges were lowered from 0.5 to 0.25, as cut edges are rare in training; their figures are slightly "
    "optimistic. 95 % intervals: Wilson, pictures taken as independent, which slices of one subject or films "
    "of one patient are not."
)

LIMITS = (
    "Few real radiographs of other body parts were at hand: one leg, one jaw, one shoulder with half a chest "
    "(taken for a chest film) and two angiograms, all only to test on. Hands, knees, pelves and abdomens were "
    "learnt from rough drawings; expect misses.",
    "LATERAL was learnt from 12 synthetic films alone and no real lateral film was at hand: take it as a hint. "
    "None of the 1,214 held-out real frontal films was called lateral.",
    "PA against AP was learnt mostly from one hospital, where AP means bedside and sick; on films from "
    "elsewhere see the figures. Between its two thresholds it says FRONTAL.",
    "Mirrored films are told by heart, aortic arch and stomach: situs inversus and dextrocardia look mirrored, "
    "and bedside films are called mirrored wrongly more often (Hannover).",
    "Cut lungs are told less surely than the rest: see the sensitivities under cut.",
    "A film that fills less than about half of its picture may be refused: the one refused of the held-out "
    "films is such.",
    "A film whose lung is cut off by less than a fiftieth of its area counts as whole.",
    "Films of animals and of newborns were not seen.",
)

REFERENCES = (
    "Tan M, Le Q. EfficientNet. ICML 2019 (Lite variants: Google)",
    "Wilson E. Probable inference, the law of succession, and statistical inference. JASA 1927",
)


def share(hits: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """A share with its Wilson interval and the number it is of."""
    count = len(hits)
    interval = binomtest(int(hits.sum()), count).proportion_ci(method="wilson")
    return {"value": float(hits.mean()), "low": float(interval.low), "high": float(interval.high), "pictures": count}


def turns_of(scores: Scores) -> tuple[npt.NDArray[np.int64], Floats]:
    """The likeliest quarter turn of each picture, and the share of its mirrored variant."""
    pose = scores["pose"].reshape(-1, TURNS, 2)
    turn = pose.sum(axis=2).argmax(axis=1)
    chosen = pose[np.arange(len(pose)), turn]
    return turn, chosen[:, 1] / chosen.sum(axis=1)


def film_figures(truth: Floats, scores: Scores) -> dict[str, Any]:
    """What was said of chest films: how many were refused, and how many verdicts agree with the truth."""
    films = truth[:, CHEST] == 1
    turn, mirrored = turns_of(scores)
    pose = np.nan_to_num(truth[:, POSE], nan=-1).astype(int)
    told, flipped = mirrored >= VERDICTS["mirrored_high"], pose % 2 == 1
    inverted = (scores["inverted"][:, 0] >= VERDICTS["inverted"]) == (truth[:, INVERTED] == 1)
    figures = {
        "refused": share(scores["chest"][films, 0] < VERDICTS["chest"]),
        "turn_right": share(turn[films] == pose[films] // 2),
        "called_mirrored_wrongly": share(told[films & ~flipped]),
        "inverted_right": share(inverted[films]),
    }
    if (films & flipped).any():
        figures["mirrored_told"] = share(told[films & flipped])
    known = films & (truth[:, VIEW] <= 1)
    if known.any():
        pa = scores["view"][known, 0] / scores["view"][known, :2].sum(axis=1)
        firm = (pa <= VERDICTS["pa_low"]) | (pa >= VERDICTS["pa_high"])
        figures["view_said"] = share(firm)
        figures["view_right_where_said"] = share((pa[firm] >= 0.5) == (truth[known, VIEW][firm] == 0))
    return figures


def cut_figures(truth: Floats, scores: Scores) -> dict[str, Any]:
    """Per edge, how many cut lungs were told (sensitivity) and how many whole ones left alone (specificity)."""
    figures: dict[str, Any] = {}
    for column, edge in enumerate(EDGES):
        target, told = truth[:, CUT][:, column], scores["cut"][:, column] >= VERDICTS[edge]
        if (target == 1).any() and (target == 0).any():
            figures[edge] = {"sensitivity": share(told[target == 1]), "specificity": share(~told[target == 0])}
    return figures


def negative_figures(kinds: Sequence[str], scores: Scores) -> dict[str, Any]:
    """Share refused of each kind of negative, and of all."""
    refused, kind = scores["chest"][:, 0] < VERDICTS["chest"], np.asarray(kinds)
    return {name: share(refused[kind == name]) for name in sorted(set(kinds))} | {"all": share(refused)}


def card_of(identity: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """The whole card."""
    return {
        **identity,
        "task": "quality",
        "title": "Embedded judge of view, pose and quality",
        "licence": "Apache-2.0",
        "source": "EfficientNet-Lite0 trunk, small convolutional neck; "
        "trained by this project's recipe; shipped in the repository",
        "training_data": TRAINING_DATA,
        "intended_use": "Research and teaching: to refuse what is no chest film and to warn; not a medical device.",
        "score_kind": "uncalibrated_sigmoid",
        "score_meaning": SCORE_MEANING,
        "limits": list(LIMITS),
        "references": list(REFERENCES),
        "reproduce": "python -m models.recipes.quality --pictures DIR",
        "measured_on": MEASURED_ON,
        "verdicts": VERDICTS,
        "input": {
            "size_px": QUALITY_SIDE,
            "channels": 1,
            "mean": INPUT_MEAN,
            "scale": INPUT_SCALE,
            "tone_percentiles": list(TONE_PERCENTILES),
        },
        "inspiration": UNTAUGHT,
        "measured": measured,
    }
