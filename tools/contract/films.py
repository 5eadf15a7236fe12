"""What every tool asks of a film before it runs, and the caveats that a film itself brings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imaging.failures import NotApplicable
from imaging.radiograph import Radiograph, View
from models.outputs import Masks, Quality, Task
from tools.contract.quality import film_quality, not_chest, quality_of, quality_warnings

if TYPE_CHECKING:
    from tools.contract.tool import ToolContext

ADULT_YEARS = 16.0
"""Below this age a film is read as a child's: the models and thresholds here are made on adults (their cards)."""

OLDEST_TOLD_YEARS = 89
"""Ages above are told as "90 or older": 45 CFR 164.514(b)(2)(i)(C) counts them as identifying."""

LUNGS_LEAST_SHARE = 0.03
"""Share of the film that both lungs' outlines must cover together. Measured with the embedded segmenter: the least of
377 real frontal films (NIH, Montgomery, Shenzhen, Hannover, Kermany) was 0.074; extremities, text pages and colour
pictures gave at most 0.005."""


SURE = 0.9
"""Score from which a picture that lies wrong is refused and not only warned of: measuring on it would mislead."""


def frontal_film(context: ToolContext, image_id: str, purpose: str) -> Radiograph:
    """The session's film of that id, which must be frontal; what the quality model warns of is among its `warnings`.

    Args:
        context: of the running tool.
        image_id: id given by the planner; an unknown one raises the store's BadArguments.
        purpose: what the tool does, to complete the sentence "... needs a frontal film".

    Raises:
        NotApplicable: the film is a lateral view, does not look like an upright chest film to the quality model, or
            shows no lungs to the segmenter.
    """
    film = context.films.get(image_id)
    quality = quality_of(film_quality(context.models, film))
    if not film.is_frontal:
        said = {"header": "its file", "model": "a model", "user": "the user"}.get(film.view_origin, "its record")
        doubt = f", but the picture looks {quality.view}" if quality and _looks_frontal(quality) else ""
        raise NotApplicable(
            f"Film {image_id} is a lateral view ({said} says so{doubt}); {purpose} needs a frontal film (PA or AP).",
            "If the file is wrong, correct its view." if doubt else "Give a frontal film of the same study.",
        )
    if quality is not None:
        refusal = unreadable(film, quality, purpose) or _not_frontal(film, quality, purpose)
        if refusal is not None:
            raise refusal
        film = replace(film, warnings=(*film.warnings, *quality_warnings(film, quality)))
    share = lung_share(context, film)
    if share is not None and share < LUNGS_LEAST_SHARE:
        raise NotApplicable(
            f"Film {image_id} does not look like a frontal chest film: no lungs could be outlined on it "
            f"({share:.1%} of the film, at least {LUNGS_LEAST_SHARE:.0%} is needed).",
            "Give an upright frontal chest film.",
        )
    return film


def adult_film(context: ToolContext, image_id: str, purpose: str) -> Radiograph:
    """As `frontal_film`, and refused where the film is known to be a child's.

    Raises:
        NotApplicable: as `frontal_film` does; the patient is below ADULT_YEARS.
    """
    film = context.films.get(image_id)
    if is_child(film):
        raise NotApplicable(
            f"Film {image_id} is of a child ({film.age_years:g} years); {purpose} was made on films of adults "
            f"({ADULT_YEARS:g} years or older) and is not given for others.",
            "Use it on films of adults only.",
        )
    return frontal_film(context, image_id, purpose)


def _looks_frontal(quality: Quality) -> bool:
    return quality.is_chest and quality.view != View.LATERAL


def unreadable(film: Radiograph, quality: Quality, purpose: str) -> NotApplicable | None:
    """Why no model should read the film, where the quality model is sure that they would be misled; else None.

    Args:
        film: the film.
        quality: what the quality model says of it.
        purpose: who needs it otherwise, to complete the sentence "... needs an upright film".
    """
    if not quality.is_chest:
        return NotApplicable(not_chest(film, quality), "Give an upright frontal chest film (PA or AP).")
    if quality.turned_deg and quality.turned_score >= SURE:
        return NotApplicable(
            f"Film {film.id} looks turned by {quality.turned_deg}° clockwise (score {quality.turned_score:.2f}); "
            f"{purpose} needs an upright film.",
            "Turn it back and try again.",
        )
    if quality.inverted and quality.inverted_score >= SURE:
        return NotApplicable(
            f"Film {film.id} looks inverted: dense parts are black (score {quality.inverted_score:.2f}); {purpose} "
            "needs dense parts white.",
            "Invert it and try again.",
        )
    return None


def _not_frontal(film: Radiograph, quality: Quality, purpose: str) -> NotApplicable | None:
    """A header that names the view outweighs the picture: the disagreement is warned of instead."""
    if quality.view != View.LATERAL or film.view is not View.UNKNOWN:
        return None
    return NotApplicable(
        f"Film {film.id} looks like a lateral view (score {quality.view_scores[2]:.2f}); {purpose} needs a frontal "
        "film (PA or AP).",
        "Give a frontal film of the same study, or a file whose header names the view.",
    )


def lung_share(context: ToolContext, film: Radiograph) -> float | None:
    """Share of the film, 0 to 1, that both lungs cover; None where no model here outlines lungs."""
    if not context.models.serves(Task.SEGMENT):
        return None
    [prediction] = context.models.predict(Task.SEGMENT, [film])
    outlines = prediction.output
    if not isinstance(outlines, Masks) or not {"left_lung", "right_lung"} <= set(outlines.codes):
        return None
    return float(outlines.get("left_lung").mean() + outlines.get("right_lung").mean())


def is_child(film: Radiograph) -> bool:
    """True when the age is known and below ADULT_YEARS."""
    return film.age_years is not None and film.age_years < ADULT_YEARS


def told_age(age_years: float | None) -> str | None:
    """An age in words, none that identifies; None where it is not known."""
    if age_years is None:
        return None
    return f"{OLDEST_TOLD_YEARS + 1} or older" if age_years > OLDEST_TOLD_YEARS else f"{age_years:.0f} years"


def film_caveats(film: Radiograph) -> list[str]:
    """What a reader of any model's result on this film must know about the film: age, view, and its own warnings."""
    caveats = list(film.warnings)
    if is_child(film):
        caveats.append(f"The patient is a child ({film.age_years:g} years); the model was made on adults' films.")
    if film.view is View.AP:
        caveats.append("AP view: the heart is magnified and the lungs are often less inflated than on a PA film.")
    if film.view is View.UNKNOWN:
        caveats.append("The view is not recorded; the film is taken as frontal.")
    return caveats
