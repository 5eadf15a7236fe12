"""symmetry: how much darker one half of a frontal film is than the other. A third party's tool, whole."""

from __future__ import annotations

from pydantic import BaseModel, Field

from imaging.overlays import Overlay
from tools.contract import Result, ToolArguments, ToolContext, tool


class SymmetryArguments(ToolArguments):
    """Which film."""

    image_id: str = Field(description="Id of one frontal film of this session.")


class SymmetryData(BaseModel):
    """Mean grey of each half, 0 black to 1 white; sides are the patient's."""

    left: float
    right: float


@tool(
    name="symmetry",
    title="Compare the halves",
    arguments=SymmetryArguments,
    result=SymmetryData,
    answers="The mean grey of the left and the right half of a frontal film.",
    prompt="Compares the mean grey of a frontal film's halves. Call it when the user asks how symmetric the film is.",
    asked_by=("symmetric", "symmetrical", "symmetry", "compare the halves"),
)
def symmetry(context: ToolContext, arguments: SymmetryArguments) -> Result:
    """Mean greys and the line between the halves."""
    film = context.films.get(arguments.image_id)
    rows, columns = film.shape
    middle = columns // 2
    data = SymmetryData(left=float(film.pixels[:, middle:].mean()), right=float(film.pixels[:, :middle].mean()))
    return Result(
        image_ids=[film.id],
        summary=f"The patient's left half has a mean grey of {data.left:.2f}, the right half {data.right:.2f}.",
        data=data,
        overlays=[Overlay.line(film.id, (0, middle), (rows - 1, middle), "middle")],
        caveats=["A turned patient or a displaced field changes it too."],
    )
