"""enhance: how does a film look with other contrast?

Answers a new film of the session: contrast evened out locally (CLAHE), greys between two limits stretched over the
whole range (window), or the grey scale turned upside down (invert). Any view. The new film has the same pixel grid and
is marked as processed: other tools read it when it is named, and its results stand beside those of the film itself.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
from pydantic import Field
from skimage.exposure import equalize_adapthist

from imaging.derived import processed
from imaging.failures import BadArguments
from imaging.radiograph import FilmArray, Radiograph
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.films import film_caveats
from tools.contract.made import STAYS_BESIDE, MadeFilm, described, keep
from tools.contract.wording import sentence_case, summarise

Method = Literal["clahe", "window", "invert"]

BY = "enhance"

CLIP_LIMIT = 0.01
"""Of scikit-image's equalize_adapthist, its default: the share of a tile's pixels one grey may hold before the rest is
spread (Zuiderveld, Graphics Gems IV, 1994). More brings out noise."""

WINDOW_PERCENTILES = (2.0, 98.0)
"""Limits of a window that nobody named: what lies beyond are markers, borders and burnt ends."""

NARROWEST = 0.01
"""Narrower windows show two or three grey levels of an 8-bit film."""

METHOD_WORDS: tuple[tuple[Method, str], ...] = (
    ("invert", r"\b(invert|negative|reverse)"),
    ("window", r"\b(window|level|width|brighten|brighter|darken|darker|brightness)"),
)
"""What the words of a request ask for, tried in order; anything else is CLAHE."""

NUMBER = r"(?:\s+(?:of|to|at|=))?\s*[:=]?\s*(\d+(?:\.\d+)?)\s*(%?)"
CENTRE_WORDS, WIDTH_WORDS = rf"\b(?:cent(?:re|er)|level){NUMBER}", rf"\bwidth{NUMBER}"

CAVEAT = "Changed contrast brings out noise and borders as well as disease, and can hide what was visible before."


class EnhanceArguments(ToolArguments):
    """Which film, and what to do with its greys."""

    image_id: str = Field(description="Id of one film of this session; any view.")
    method: Method | None = Field(
        default=None,
        description="clahe evens contrast out locally, window stretches the greys between two limits, invert turns the "
        "grey scale upside down; left out, `question` tells, else clahe.",
    )
    centre: float | None = Field(
        default=None, ge=0, le=1, description="Middle of the window, 0 (black) to 1 (white); needs `width`."
    )
    width: float | None = Field(
        default=None,
        ge=NARROWEST,
        le=1,
        description="Width of the window in the same units; where both are left out, they are chosen.",
    )
    question: str = Field(default="", description="The request in the user's words, where method is left out.")


class EnhanceData(MadeFilm):
    """The new film, and for a window its limits."""

    low: float | None = Field(default=None, description="grey that became black, 0 to 1")
    high: float | None = Field(default=None, description="grey that became white, 0 to 1")


@tool(
    name="enhance",
    title="Change contrast",
    arguments=EnhanceArguments,
    result=EnhanceData,
    answers="A film with other contrast (CLAHE, window or inverted) as a further film of the session marked as "
    "processed; any view.",
    asked_by=(
        "enhance",
        "enhance the film",
        "enhance this film",
        "enhance the image",
        "enhance this image",
        "enhance contrast",
        "enhance the contrast",
        "enhanced version",
        "clahe",
        "contrast",
        "more contrast",
        "better contrast",
        "increase the contrast",
        "increase contrast",
        "improve the contrast",
        "change the contrast",
        "histogram equalisation",
        "histogram equalization",
        "equalise",
        "equalize",
        "window the film",
        "window centre",
        "window center",
        "window level",
        "window width",
        "change the window",
        "set the window",
        "narrow window",
        "wide window",
        "windowing",
        "brighten",
        "make it brighter",
        "make it darker",
        "darken",
        "invert the film",
        "invert this film",
        "invert the image",
        "invert this image",
        "invert it",
        "invert",
        "invert the grey scale",
        "invert the greyscale",
        "negative of the film",
        "negative image",
    ),
)
def enhance(context: ToolContext, arguments: EnhanceArguments) -> Result:
    """The film with other contrast as a film of the session; see the module."""
    film = context.films.get(arguments.image_id)
    method = arguments.method or _method(arguments.question)
    pixels, what, limits = _changed(film, method, arguments)
    made = keep(context, processed(film, pixels, what, BY))
    code = "inverted" if method == "invert" else method
    data = EnhanceData(**described(context, made, code), low=limits and limits[0], high=limits and limits[1])
    done = {
        "clahe": "with its contrast evened out locally (CLAHE)",
        "window": f"with the greys from {what.removeprefix('window ')} of its range stretched over the whole range",
        "invert": "with its grey scale turned upside down",
    }[method]
    sentences = [
        f"{sentence_case(data.film_name)} is {context.films.name(film.id)} {done}.",
        STAYS_BESIDE,
        f"Ask about {data.film_name} by its number to have both read.",
    ]
    return Result(
        image_ids=[film.id, made.id], summary=summarise(sentences), data=data, caveats=[CAVEAT, *film_caveats(film)]
    )


def _changed(
    film: Radiograph, method: Method, arguments: EnhanceArguments
) -> tuple[FilmArray, str, tuple[float, float] | None]:
    """The pixels, what was done in words, and a window's limits."""
    if method == "invert":
        return 1 - film.pixels, "inverted", None
    if method == "clahe":
        evened = equalize_adapthist(film.pixels.astype(np.float64), clip_limit=CLIP_LIMIT)
        return np.asarray(evened, dtype=np.float32).clip(0, 1), "CLAHE", None
    low, high = _limits(film, arguments)
    stretched = ((film.pixels - np.float32(low)) / np.float32(high - low)).clip(0, 1)
    return stretched, f"window {low:.2f} to {high:.2f}", (round(low, 4), round(high, 4))


def _limits(film: Radiograph, arguments: EnhanceArguments) -> tuple[float, float]:
    """Limits of the window: as given, as the words say, or by the film's own greys."""
    centre = arguments.centre if arguments.centre is not None else _told(CENTRE_WORDS, arguments.question)
    width = arguments.width if arguments.width is not None else _told(WIDTH_WORDS, arguments.question)
    if (centre is None) != (width is None):
        raise BadArguments("A window has a centre and a width; one of them is missing.", "Give both, each 0 to 1.")
    if centre is None or width is None:
        low, high = (float(value) for value in np.percentile(film.pixels, WINDOW_PERCENTILES))
        return (low, high) if high - low >= NARROWEST else (0.0, 1.0)
    if not 0 <= centre <= 1 or not NARROWEST <= width <= 1:
        raise BadArguments(
            f"A window of centre {centre:g} and width {width:g} lies outside the film's greys.",
            f"Give a centre of 0 (black) to 1 (white) and a width of {NARROWEST:g} to 1, or percentages.",
        )
    return centre - width / 2, centre + width / 2


def _method(text: str) -> Method:
    return next((method for method, words in METHOD_WORDS if re.search(words, text.lower())), "clahe")


def _told(pattern: str, text: str) -> float | None:
    """A number after its word, "60 %" as 0.6; None where there is none."""
    match = re.search(pattern, text.lower())
    return None if match is None else float(match[1]) / (100 if match[2] else 1)
