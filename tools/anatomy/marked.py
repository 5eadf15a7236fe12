"""The user's marks turned into an outline: by a promptable model where one is present, else on the film's grey levels.

What the model draws is held to the marks: a point inside stays inside, one outside stays outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from skimage.morphology import convex_hull_image

from imaging.failures import BadArguments
from imaging.radiograph import Radiograph
from models.outputs import Masks, Task
from models.request import Question
from tools.anatomy import Outlines
from tools.anatomy.correction import BOX_CORE, LESION_CORE, Marks, correct
from tools.anatomy.outlines import FREE_AIR, LESION, BoolMask
from tools.contract.tool import ToolContext
from tools.contract.wording import listed

BY_HAND = "drawn on the film's grey levels, without a model"

MARKS_MOST = 500
"""Points of one correction; a drawing of more is sent in pieces."""

PROMPTS_MOST = 12
"""Points of a scribble that a promptable model is given, evenly along it."""

Triple = tuple[float, float, int]


@dataclass(frozen=True)
class Drawn:
    """What the user drew, as it stands in the tool's arguments: points are (row, column, 1 inside or 0 outside)."""

    box: tuple[float, float, float, float] | None
    points: tuple[Triple, ...]
    scribble: tuple[Triple, ...]

    @classmethod
    def of(cls, box: list[float] | None, points: list[list[float]] | None, scribble: list[list[float]] | None) -> Drawn:
        """From the tool's arguments."""
        edges = None if box is None else (box[0], box[1], box[2], box[3])
        marks = [
            tuple((row, column, int(inside)) for row, column, inside in given or ()) for given in (points, scribble)
        ]
        return cls(edges, marks[0], marks[1])

    @property
    def words(self) -> str:
        """ "a box and 2 points"."""
        parts = ["a box"] if self.box else []
        if self.points:
            parts.append("1 point" if len(self.points) == 1 else f"{len(self.points)} points")
        parts += ["a scribble"] if self.scribble else []
        return listed(parts)


def corrected_outline(
    context: ToolContext, film: Radiograph, found: Outlines, code: str, drawn: Drawn
) -> tuple[BoolMask, str, str]:
    """(outline bool [H, W], what was drawn in words, who drew the outline).

    Raises:
        BadArguments: a mark lies off the film, or nothing says where the structure is.
    """
    _check(film, drawn)
    outline = found.mask(code) if found.has(code) else None
    bound = _bound(found, code)
    by, core = BY_HAND, LESION_CORE if code == LESION else BOX_CORE
    box = drawn.box
    if context.models.serves(Task.PROMPTED) and (box or any(inside for *_, inside in drawn.points + drawn.scribble)):
        outline, by, box = *_prompted(context, film, drawn), None
    elif code == LESION and outline is None and box is None:
        raise BadArguments(
            "A nodule or mass that is not outlined yet is drawn by a box; points and a scribble correct it then.",
            "Give `box`, tight around it.",
        )
    try:
        mask = correct(film.pixels, outline, replace(_marks(drawn, box), core=core), bound)
    except ValueError as error:
        raise BadArguments(f"{str(error)[:1].upper()}{str(error)[1:]}.", "Give a box, or a point inside.") from error
    return mask, drawn.words, by


def _prompted(context: ToolContext, film: Radiograph, drawn: Drawn) -> tuple[BoolMask, str]:
    """What a promptable model outlines in the box, or else from the points; and which model."""
    along = drawn.scribble[:: max(1, len(drawn.scribble) // PROMPTS_MOST)]
    points = () if drawn.box else (*drawn.points, *along)
    question = Question(boxes=(drawn.box,) if drawn.box else (), points=points)
    [prediction] = context.models.predict(Task.PROMPTED, [film], question=question)
    masks = prediction.output
    if not isinstance(masks, Masks):
        raise TypeError(f"{prediction.model_id} serves prompted but returned {type(masks).__name__}")
    return masks.masks[0], f"{prediction.card.title}, {prediction.model_id}"


def _marks(drawn: Drawn, box: tuple[float, float, float, float] | None) -> Marks:
    points = {kind: tuple((row, column) for row, column, inside in drawn.points if inside == kind) for kind in (0, 1)}
    strokes: dict[int, list[list[tuple[float, float]]]] = {0: [], 1: []}
    last = None
    for row, column, inside in drawn.scribble:
        if inside != last:
            strokes[inside].append([])
        strokes[inside][-1].append((row, column))
        last = inside
    return Marks(
        inside=points[1],
        outside=points[0],
        inside_strokes=tuple(tuple(stroke) for stroke in strokes[1]),
        outside_strokes=tuple(tuple(stroke) for stroke in strokes[0]),
        box=box,
    )


def _bound(found: Outlines, code: str) -> BoolMask | None:
    """Where free air can lie: the convex hull of that side's lung."""
    lung = f"{code.partition('_')[0]}_lung"
    if code not in FREE_AIR or not found.has(lung):
        return None
    hull: BoolMask = np.asarray(convex_hull_image(found.mask(lung)), dtype=np.bool_)
    return hull


def _check(film: Radiograph, drawn: Drawn) -> None:
    height, width = film.shape
    marks = (*drawn.points, *drawn.scribble)
    if len(marks) > MARKS_MOST:
        raise BadArguments(f"There are {len(marks)} points, at most {MARKS_MOST} are taken.", "Draw less at once.")
    if drawn.box is not None:
        top, low, bottom, high = drawn.box
        if not (0 <= top < bottom <= height and 0 <= low < high <= width):
            raise BadArguments(
                f"The box {drawn.box} does not lie on the film of {height} rows and {width} columns.",
                "Boxes are [row_min, col_min, row_max, col_max] in the film's pixels.",
            )
    for row, column, inside in marks:
        if not (0 <= row < height and 0 <= column < width) or inside not in (0, 1):
            raise BadArguments(
                f"The point {[row, column, inside]} is not on the film of {height} rows and {width} columns, or is "
                "neither inside (1) nor outside (0).",
                "Points are [row, column, 1 or 0] in the film's pixels.",
            )
