"""anomaly: how unusual is the chest on one frontal film, and where most?

Answers a percentile among normal films and a map. Embedded: the distance of a frozen network's features from those of
normal films, ranked within the nearest population; or, where its weights are here, how far torchxrayvision's
autoencoder fails to copy the film, which has no percentile. Frontal films only. It names no finding: unusual is not
ill, and what is small is not seen.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy import ndimage
from skimage.transform import resize

from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.outputs import Picture, Task, Unusual
from models.predictions import Prediction
from models.request import Question
from models.unusual import lung_box
from tools.anatomy import Anatomy, Outlines, outline
from tools.anatomy.heat import on_grid
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import listed, summarise
from tools.knowledge import Region

MethodName = Literal["features", "reconstruction"]
Verdict = Literal["usual", "borderline", "unusual", "not ranked"]

BORDERLINE_FROM, UNUSUAL_FROM = 0.75, 0.9
"""Percentiles. The card says how many normal and other films lay above the second."""

CHEST = (Region.PLEURA, Region.PLEURA_BASE, Region.MEDIASTINUM)
"""Where the most unusual part is looked for: the lungs, their base, which fluid hides, and what lies between."""

HIGHEST_SHARE = 0.05
"""Share of the chest that is shown as its most unusual part."""

NO_DIAGNOSIS = (
    "Unusual is not ill, and usual is not healthy: age, posture, devices or another hospital raise the score, and "
    "small lesions do not."
)


class AnomalyArguments(ToolArguments):
    """Which film, and how."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    method: MethodName | None = Field(
        default=None,
        description="features: distance to normal films, with a percentile (the usual way); reconstruction: error of "
        "an autoencoder, without one.",
    )


class AnomalyData(BaseModel):
    """How unusual, ranked among what, and where."""

    method: MethodName
    verdict: Verdict
    score: float = Field(description="what it means is the card's score_meaning; no probability")
    percentile: float | None = Field(description="share of normal films with a lower score, 0 to 1")
    population: str = Field(description="the normal films it was ranked among; empty if none")
    place: str = Field(description="where the most unusual part lies, the patient's side; empty if nothing stands out")
    highest: float = Field(description="the map's highest value; of features, times what is usual there")


def _mapped(film: Radiograph, prediction: Prediction) -> npt.NDArray[np.float32]:
    """The map on the film's own proportions at the model's resolution, what is usual left out."""
    output = prediction.output
    if isinstance(output, Unusual):
        return (output.ratio - 1.0).clip(0)
    if not isinstance(output, Picture) or output.extent is None:
        raise TypeError(f"{prediction.model_id} answered with {type(output).__name__}")
    top, left, bottom, right = (round(edge) for edge in output.extent)
    seen = resize(film.pixels[top:bottom, left:right], output.pixels.shape, order=1, anti_aliasing=True)
    difference: npt.NDArray[np.float32] = np.abs(seen - output.pixels).astype(np.float32)
    return difference


def _highest(anatomy: Anatomy, heat: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """The most unusual part of the chest on the working grid, in one piece; empty where nothing stands out."""
    region = np.any([anatomy.region(part) for part in CHEST], axis=0)
    inside = np.where(region, heat, 0)
    count = max(1, round(HIGHEST_SHARE * int(region.sum())))
    limit = np.partition(inside.ravel(), -count)[-count]
    labels, _ = ndimage.label((inside >= limit) & (inside > 0))
    peak = labels[np.unravel_index(int(inside.argmax()), inside.shape)]
    found: npt.NDArray[np.bool_] = (labels == peak) & (labels > 0)
    return found


def _verdict(percentile: float | None) -> Verdict:
    if percentile is None:
        return "not ranked"
    return "unusual" if percentile >= UNUSUAL_FROM else "borderline" if percentile >= BORDERLINE_FROM else "usual"


def _ask(context: ToolContext, film: Radiograph, found: Outlines, method: MethodName) -> Prediction:
    if method == "reconstruction":
        [prediction] = context.models.predict(Task.RECONSTRUCT, [film])
        return prediction
    box = lung_box(found.masks.get("left_lung") | found.masks.get("right_lung"))
    if box is None:
        raise ValueError("frontal_film lets no film pass without lungs")
    question = Question(boxes=((float(box.top), float(box.left), float(box.bottom), float(box.right)),))
    [prediction] = context.models.predict(Task.ANOMALY, [film], question=question)
    return prediction


def _sentences(data: AnomalyData, title: str) -> list[str]:
    """The summary: the verdict with its rank, then where."""
    if data.percentile is None:
        lead = f"Reconstruction error {data.score:.3f} ({title}); no percentile is known for it, so nothing is ranked."
    else:
        lead = (
            f"The chest on this film is {data.verdict}: it departs from the normal films of {data.population} more "
            f"than {min(99, int(100 * data.percentile))} % of them do, by {title}."
        )
    where = f"It departs most in the {data.place}." if data.place and data.verdict != "usual" else ""
    return [lead, where, "This names no finding."]


@tool(
    name="anomaly",
    title="Look for what is unusual",
    arguments=AnomalyArguments,
    result=AnomalyData,
    needs=(Task.ANOMALY, Task.SEGMENT),
    answers="How unusual the chest on a frontal film (PA or AP) is: a percentile among normal films and a map; no "
    "finding is named.",
    asked_by=(
        "unusual",
        "anything unusual",
        "is anything unusual",
        "something unusual",
        "what is unusual",
        "whats unusual",
        "how unusual",
        "unusual about",
        "look unusual",
        "looks unusual",
        "anomaly",
        "anomalies",
        "any anomaly",
        "any anomalies",
        "anomaly score",
        "anomaly map",
        "anomaly detection",
        "detect anomalies",
        "anomalous",
        "outlier",
        "an outlier",
        "out of distribution",
        "out of distribution score",
        "how far from normal",
        "how different from normal",
        "differs from normal films",
        "different from normal films",
        "compared with normal films",
        "compare with normal films",
        "anything out of the ordinary",
        "out of the ordinary",
        "atypical film",
        "strange about",
        "anything strange",
        "anything odd",
        "reconstruction error",
        "autoencoder",
    ),
)
def anomaly(context: ToolContext, arguments: AnomalyArguments) -> Result:
    """A percentile and a map; see the module."""
    method: MethodName = arguments.method or "features"
    if method == "reconstruction":
        context.models.resolve(Task.RECONSTRUCT)  # no film is looked at where the weights are not here
    film = frontal_film(context, arguments.image_id, "a search for what is unusual")
    found = outline(context, film)
    prediction = _ask(context, film, found, method)
    output = prediction.output
    if not isinstance(output, Unusual | Picture) or output.extent is None or output.score is None:
        raise TypeError(f"{prediction.model_id} answered with {type(output).__name__}")
    anatomy = Anatomy(found)
    heat = on_grid(_mapped(film, prediction), output.extent, anatomy.grid_shape, anatomy.step)
    spot = _highest(anatomy, heat)
    percentile = output.percentile if isinstance(output, Unusual) else None
    data = AnomalyData(
        method=method, verdict=_verdict(percentile), score=round(output.score, 4),
        percentile=None if percentile is None else round(percentile, 3),
        population=output.population if isinstance(output, Unusual) else "",
        place=anatomy.place(Region.LUNG, spot).words if spot.any() else "",
        highest=round(float(heat.max()) + (1.0 if method == "features" else 0.0), 3),
    )  # fmt: skip
    overlays = [Overlay.heatmap(film.id, heat.clip(0), film.shape, "where the film departs from normal ones")]
    if spot.any() and data.verdict in ("unusual", "borderline"):
        overlays.append(Overlay.box(film.id, anatomy.box(spot), "most unusual part", text=data.place))
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(data, prediction.card.title)),
        data=data,
        overlays=overlays,
        caveats=[NO_DIAGNOSIS, *_worth(prediction), *film_caveats(film)],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )


def _worth(prediction: Prediction) -> list[str]:
    """How many normal and other films were called unusual, by the card's figures, in a sentence; none without."""
    figures = (prediction.card.model_extra or {}).get("separation", [])
    told = [
        f"{item['called_unusual_normal']:.0%} and {item['called_unusual_abnormal']:.0%} on {item['dataset']}"
        for item in figures
    ]
    return [f"Where it was measured, it called normal and other films unusual: {listed(told)}."] if told else []
