"""What the quality model says of a film: facts for `hilum film`, warnings in sentences, and reasons to refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.header import CHEST_TERMS
from imaging.once import once_per_array
from imaging.radiograph import FilmArray, Radiograph, View
from models.outputs import Quality, Task
from models.pool import ModelPool
from models.predictions import Prediction
from tools.contract.wording import listed

EDGE_WORDS = {
    "apices": "the lung apices",
    "bases": "the lung bases",
    "left": "the outer border of the left lung",
    "right": "the outer border of the right lung",
}

SHALLOW, DEEP = 0.35, 0.65
"""Below and above these the breath is called shallow and deep: about 8 and 9 posterior ribs on the phantom's scale."""

GREY_STEPS = 255.0
"""Grey levels are counted as of an 8-bit picture."""

DARK, BRIGHT = 0.28, 0.88
"""A film whose middle grey lies below or above is called dark or bright. Of 1,337 real films (NIH, JSRT, Montgomery,
Shenzhen, Hannover, Cohen, Kermany) 0.4 % lie below, 1 % above, all of JSRT; screen-film phantoms exposed eight times
too much or four times too little all do. A digital system hides such errors; its header may tell them."""

FLAT = 0.15
"""Least distance between the 5th and 95th percentile of a film's greys that is not called flat."""

BURNT = 0.25
"""Share of the film at its darkest or brightest grey from which that end is called saturated."""


HEADER_POSES = {
    ("L", "F"): (0, False),
    ("R", "F"): (0, True),
    ("H", "L"): (90, False),
    ("H", "R"): (90, True),
    ("R", "H"): (180, False),
    ("L", "H"): (180, True),
    ("F", "R"): (270, False),
    ("F", "L"): (270, True),
}
"""Patient Orientation (rows to, columns to; PS3.3 C.7.6.1.1.1) of a frontal film that was first mirrored or not, then
turned clockwise by these degrees."""

EXPOSURE_WARNINGS = {
    "flat": "The film has little contrast: faint findings cannot be told from none.",
    "dark": "The film looks dark: faint findings may be lost in the black parts.",
    "bright": "The film looks bright: what lies behind dense parts may be lost in the white.",
}


@dataclass(frozen=True)
class Exposure:
    """Greys of a film as they are: shares of it at the two ends, middle grey, spread; and what they amount to."""

    verdict: str
    median: float
    spread: float
    at_darkest: float
    at_brightest: float


def film_quality(models: ModelPool, film: Radiograph) -> Prediction | None:
    """The quality model's prediction, computed once per film by the pool; None where no such model is here."""
    if not models.serves(Task.QUALITY):
        return None
    [prediction] = models.predict(Task.QUALITY, [film])
    return prediction


def quality_of(prediction: Prediction | None) -> Quality | None:
    """The Quality inside a prediction, if there is one."""
    return prediction.output if prediction is not None and isinstance(prediction.output, Quality) else None


def exposure(film: Radiograph) -> Exposure:
    """How the film's greys lie, borders left out; a measurement on the pixels as shown, not on the detector's dose."""
    return _exposure(film.pixels)


@once_per_array
def _exposure(pixels: FilmArray) -> Exposure:
    from models.preprocess import content_box

    box = content_box(pixels)
    greys = pixels[box.top : box.bottom, box.left : box.right]
    low, middle, high = (float(value) for value in np.percentile(greys, (5, 50, 95)))
    step = 1 / GREY_STEPS
    darkest = float((greys <= greys.min() + step).mean())
    brightest = float((greys >= greys.max() - step).mean())
    if high - low < FLAT:
        verdict = "flat"
    elif darkest >= BURNT or middle < DARK:
        verdict = "dark"
    elif brightest >= BURNT or middle > BRIGHT:
        verdict = "bright"
    else:
        verdict = "usual"
    return Exposure(verdict, round(middle, 3), round(high - low, 3), round(darkest, 3), round(brightest, 3))


def breath(quality: Quality) -> str | None:
    """ "shallow", "moderate" or "deep", None where the model does not say."""
    if quality.inspiration is None:
        return None
    return "shallow" if quality.inspiration < SHALLOW else "deep" if quality.inspiration > DEEP else "moderate"


def quality_facts(film: Radiograph, prediction: Prediction) -> dict[str, Any]:
    """The verdicts as JSON-ready values: `quality` of `hilum film --json`. What needs a chest is None without one."""
    quality = quality_of(prediction)
    if quality is None:
        return {}
    chest = quality.is_chest
    frontal = chest and quality.view != View.LATERAL
    depth = quality.inspiration if frontal else None
    shown = exposure(film)
    facts: dict[str, Any] = {
        "is_chest": chest,
        "score": _rounded(quality.is_chest_score),
        "view": quality.view if chest else None,
        "view_scores": dict(zip(("PA", "AP", "LATERAL"), map(_rounded, quality.view_scores), strict=True)),
        "rotation": quality.turned_deg if chest else None,
        "rotation_score": _rounded(quality.turned_score),
        "mirrored": quality.mirrored if frontal else None,
        "mirrored_score": _rounded(quality.mirrored_score),
        "inverted": quality.inverted if chest else None,
        "inverted_score": _rounded(quality.inverted_score),
        "clipped": bool(quality.cut_edges) if frontal else None,
        "clipped_edges": list(quality.cut_edges) if frontal else None,
        "clipped_scores": dict(zip(EDGE_WORDS, map(_rounded, quality.cut_scores), strict=True)),
        "inspiration": breath(quality) if frontal else None,
        "inspiration_score": _rounded(depth) if depth is not None else None,
        "inspiration_reason": "" if depth is not None else _why_no_breath(prediction),
        "exposure": shown.verdict,
        "greys": {
            "median": shown.median,
            "spread": shown.spread,
            "at_darkest": shown.at_darkest,
            "at_brightest": shown.at_brightest,
        },
        "warnings": quality_warnings(film, quality),
        "model": prediction.model_id,
        "revision": prediction.revision,
        "score_kind": prediction.card.score_kind.value,
    }
    return facts


def _why_no_breath(prediction: Prediction) -> str:
    """Why the depth of the breath is not told, from the model's card."""
    told: dict[str, Any] = (prediction.card.model_extra or {}).get("inspiration", {})
    return str(told.get("reason", "this model does not tell it"))


def _rounded(value: float) -> float:
    return round(float(value), 4)


def not_chest(film: Radiograph, quality: Quality) -> str:
    """The sentence for a picture that is no chest film; with what its header says, where that is the chest."""
    told = f", though its header says {film.source.body_part}," if film.source.body_part in CHEST_TERMS else ""
    return (
        f"Film {film.id} does not look like a radiograph of the chest{told} "
        f"(score {quality.is_chest_score:.2f} on a scale where chest films come near 1)."
    )


def quality_warnings(film: Radiograph, quality: Quality) -> list[str]:
    """What the picture shows against its header or against good practice, in sentences; empty when nothing does."""
    if not quality.is_chest:
        return [not_chest(film, quality)]
    said = [*_pose_warnings(quality), *_header_warnings(film, quality)]
    if quality.view != View.LATERAL:
        if quality.cut_edges:
            edges = listed([EDGE_WORDS[edge] for edge in quality.cut_edges])
            said.append(f"Lung looks cut off by the film's edge: {edges}.")
        if breath(quality) == "shallow":
            said.append("Shallow breath: the lungs look less inflated, the heart wider than at full inspiration.")
    verdict = exposure(film).verdict
    if verdict != "usual":
        said.append(EXPOSURE_WARNINGS[verdict])
    return said


def _pose_warnings(quality: Quality) -> list[str]:
    said = []
    if quality.turned_deg:
        said.append(f"The picture looks turned by {quality.turned_deg}° clockwise: turn it back and try again.")
    if quality.inverted:
        said.append("The picture looks inverted (dense is black): invert it and try again.")
    if quality.mirrored and quality.view != View.LATERAL:
        said.append(
            "The picture looks mirrored: left and right may be exchanged. Check the side marker; situs inversus looks "
            "the same."
        )
    return said


def _header_warnings(film: Radiograph, quality: Quality) -> list[str]:
    """Where the picture of a chest contradicts what its header says of body part, pose or view."""
    said = []
    if film.source.body_part is not None and film.source.body_part not in CHEST_TERMS:
        said.append(f"The header says the body part is {film.source.body_part}; the picture looks like a chest.")
    pose = HEADER_POSES.get(film.source.orientation or ("", ""))
    if pose is not None and quality.view != View.LATERAL:
        turned, mirrored = pose
        if turned != quality.turned_deg or (quality.mirrored is not None and mirrored != quality.mirrored):
            looks = _pose(quality.turned_deg, bool(quality.mirrored))
            said.append(f"The header's Patient Orientation says {_pose(turned, mirrored)}; the picture looks {looks}.")
    return [*said, *_view_warnings(film, quality)]


def _pose(turned_deg: int, mirrored: bool) -> str:
    turn = [f"turned by {turned_deg}° clockwise"] if turned_deg else []
    return " and ".join([*(["mirrored"] if mirrored else []), *turn]) or "upright and not mirrored"


def _view_warnings(film: Radiograph, quality: Quality) -> list[str]:
    if quality.view in ("FRONTAL", film.view.value):
        return []
    looks = "lateral" if quality.view == View.LATERAL else quality.view
    if film.view is View.UNKNOWN:
        return [f"The file does not say the view; the picture looks {looks}."]
    told = {"header": "The header", "user": "The user"}.get(film.view_origin, "The record")
    return [f"{told} says {film.view.value}; the picture looks {looks}."]
