"""explain: which part of one frontal film did a classifier's score for a finding rest on, and did that part matter?

Answers a heat map over the film (HiResCAM, Grad-CAM, integrated gradients, or occlusion, which any classifier of the
catalog can be asked by) and a masking test: the highlighted area is covered, and so are areas of the same size and
shape elsewhere in the chest. Frontal films only. It explains a model's score; it is no outline of disease, and it
cannot say that the model looked at the right thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from skimage.transform import resize

from imaging.failures import NotApplicable, Unavailable
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.outputs import Heatmaps, Scores, Task
from models.request import Question
from tools.anatomy import Anatomy, outline
from tools.anatomy.heat import on_grid
from tools.classify import SCORE_WORDS, Assessment, assess, display_name
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import sentence_case, summarise
from tools.explaining import Chest, MaskingTest, chest_of, cover_map, masking_test
from tools.knowledge import Region, finding

MethodName = Literal["grad_cam", "hires_cam", "integrated_gradients", "occlusion"]

TITLES: dict[MethodName, str] = {
    "grad_cam": "Grad-CAM",
    "hires_cam": "HiResCAM",
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
}

DEFAULT: MethodName = "hires_cam"
"""The map where none is asked for: what each cell adds, by its own gradient. Grad-CAM averages a gradient over the
film, and so loses which cells a peak came from: on 24 synthetic films of findings most of the highlighted area lay on
the finding on 23 by HiResCAM and on 14 by Grad-CAM."""

OUTSIDE_WARNED = 0.3
"""Share of the highlighted area outside the chest from which the answer warns of a shortcut. A judgement."""

NO_OUTLINE = "The map shows what raised this model's score; it is no outline of disease, and other models differ."


class ExplainArguments(ToolArguments):
    """Which score to explain, and how."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    finding: str | None = Field(
        default=None, description="One finding code, e.g. effusion; leave out for the surest present one."
    )
    method: MethodName | None = Field(
        default=None,
        description="How to ask the model; leave out for HiResCAM where the model can be asked so, else occlusion.",
    )
    model: str | None = Field(
        default=None, description="Catalog id of the classifier; leave out for the session's own choice."
    )


class ExplainData(BaseModel):
    """What the score rests on by one method, and whether that mattered."""

    finding: str
    name: str
    status: Status = Field(description="what the classifier says of the finding")
    score: float
    threshold: float
    method: MethodName
    method_title: str
    explained_model: str = Field(description="title of the classifier that is explained")
    place: str = Field(description="where the highlighted area lies, the patient's side; empty where in several places")
    area_share: float = Field(description="highlighted area as a share of the chest")
    outside_chest: float = Field(description="share of the highlighted area that lies outside the chest")
    mattered: bool = Field(description="whether covering the area lowers the score further than random areas do")
    score_covered: float = Field(description="score with the highlighted area covered")
    score_uncovered: float = Field(description="score of the same reduced film with nothing covered")
    score_random_covered: float = Field(description="mean score with a random area of that size and shape covered")
    random_areas: int
    random_as_low: int = Field(description="random areas that lower the score at least as far")
    p_value: float = Field(description="share of all areas tried that lower it at least as far, the area among them")


@dataclass(frozen=True)
class _Asked:
    """The classifier and finding that are explained."""

    context: ToolContext
    model: str
    code: str

    def scores(self, films: Sequence[Radiograph]) -> npt.NDArray[np.float64]:
        """The finding's score on each film."""
        found = []
        for prediction in self.context.models.predict(Task.CLASSIFY, films, model_id=self.model):
            output = prediction.output
            if not isinstance(output, Scores):
                raise TypeError(f"{prediction.model_id} serves classify but returned {type(output).__name__}")
            found.append(float(output.values[output.codes.index(self.code)]))
        return np.array(found)

    def gradients(self, film: Radiograph, method: MethodName, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        """The model's own saliency map, on a film of that shape."""
        question = Question(text=method, phrases=(self.code,))
        [prediction] = self.context.models.predict(Task.EXPLAIN, [film], model_id=self.model, question=question)
        maps = prediction.output
        if not isinstance(maps, Heatmaps):
            raise TypeError(f"{prediction.model_id} serves explain but returned {type(maps).__name__}")
        scale = np.array([shape[0] / film.shape[0], shape[1] / film.shape[1]] * 2)
        top, left, bottom, right = (float(edge) for edge in np.array(maps.extent) * scale)
        return on_grid(np.asarray(maps.maps[0], dtype=np.float32), (top, left, bottom, right), shape, 1)


def _chosen(told: Assessment, code: str | None, film: Radiograph) -> Finding:
    """The finding to explain: the one asked for, else the present one furthest above its threshold.

    Raises:
        NotApplicable: the classifier does not assess it, or finds nothing.
    """
    if code is not None:
        item = told.get(code)
        if item.status is Status.NOT_ASSESSED:
            raise NotApplicable(
                f"There is no score of {display_name(code)} to explain: {item.reason}",
                "Ask for a finding that the classifier assesses.",
            )
        return item
    present = [item for item in told.findings if item.status is Status.PRESENT]
    if not present:
        raise NotApplicable(
            f"{told.card.title} calls no finding present on film {film.id}, so there is nothing to explain.",
            "Name a finding to see what speaks for it most.",
        )
    return max(present, key=lambda item: (item.score or 0.0) - (item.threshold or 0.0))


def _method(context: ToolContext, model: str, wanted: MethodName | None) -> MethodName:
    """HiResCAM where the model's adapter gives gradients, else occlusion, which asks it for scores alone.

    Raises:
        Unavailable: a method by gradients is wanted of a model that cannot be asked so.
    """
    able = Task.EXPLAIN in context.models.catalog.get(model).tasks
    if wanted not in (None, "occlusion") and not able:
        explained = [entry.id for entry in context.models.catalog.serving(Task.EXPLAIN)]
        raise Unavailable(
            f"{model} gives no gradients, which {TITLES[wanted]} needs.",
            f"Use the method occlusion, or explain one of: {', '.join(explained)}.",
        )
    return wanted or (DEFAULT if able else "occlusion")


def _test(chest: Chest, heat: npt.NDArray[np.float32], asked: _Asked, seen: Finding, title: str) -> MaskingTest:
    try:
        return masking_test(chest, heat, asked.scores, int(chest.film.id[:8], 16))
    except ValueError as error:
        raise NotApplicable(
            f"{title} highlights nothing for {display_name(seen.code)} on film {seen.image_id}: {error}.",
            "Try another method, e.g. occlusion.",
        ) from error


def _grown(area: npt.NDArray[np.bool_], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A mask of the small film on the film itself."""
    return np.asarray(resize(area.astype(np.float32), shape, order=1) > 0.5)


def _sentences(data: ExplainData, seen: Finding, word: str) -> list[str]:
    """The summary: where the model looked, then whether it mattered."""
    where = f", highest in the {data.place}" if data.place else ""
    told = (
        f"{sentence_case(data.name)} ({seen.status.value}): {data.method_title} shows what its score rests on{where}."
    )
    covered = (
        f"Covering the highlighted area ({data.area_share:.0%} of the chest) takes the {word} from "
        f"{data.score_uncovered:.2f} to {data.score_covered:.2f}; areas of its size and shape elsewhere take it to "
        f"{data.score_random_covered:.2f} on average, {data.random_as_low} of {data.random_areas} as low."
    )
    verdict = (
        "The highlighted area mattered to the model more than areas chosen at random."
        if data.mattered
        else "The highlighted area mattered no more than areas chosen at random: the map does not show the reason."
    )
    return [told, covered, verdict, f"The model explained is {data.explained_model}."]


def _caveats(film: Radiograph, data: ExplainData, card_title: str) -> list[str]:
    caveats = [NO_OUTLINE, *film_caveats(film)]
    if data.outside_chest >= OUTSIDE_WARNED:
        caveats.insert(
            0,
            f"{data.outside_chest:.0%} of the highlighted area lies outside the chest: {card_title} may go by marks, "
            "borders or tubes there and not by disease.",
        )
    if data.status is not Status.PRESENT:
        caveats.append(f"The classifier does not call it present: the map shows what speaks for {data.name} most.")
    return caveats


@tool(
    name="explain",
    title="Explain a score",
    arguments=ExplainArguments,
    result=ExplainData,
    needs=(Task.CLASSIFY, Task.SEGMENT),
    answers="Which part of a frontal film (PA or AP) a classifier's score for a finding rests on, by HiResCAM, "
    "Grad-CAM, integrated gradients or occlusion, and whether covering it matters more than covering random areas.",
    asked_by=(
        "grad cam",
        "gradcam",
        "hires cam",
        "hirescam",
        "saliency",
        "saliency map",
        "saliency maps",
        "attention map",
        "activation map",
        "class activation map",
        "class activation",
        "integrated gradients",
        "occlusion",
        "occlusion map",
        "attribution map",
        "heat map",
        "heatmap",
        "heat maps",
        "show me the heat map",
        "show the heat map",
        "what is the model looking at",
        "what does the model look at",
        "what did the model look at",
        "where does the model look",
        "where did the model look",
        "where is the model looking",
        "which pixels",
        "which part of the film mattered",
        "which part of the image mattered",
        "which area mattered",
        "which region mattered",
        "did the highlighted area matter",
        "does the highlighted area matter",
        "masking test",
        "explain the score",
        "explain the scores",
        "explain the model",
        "explain your score",
        "explain this score",
        "what drives the score",
        "what raised the score",
        "what made the model",
        "what makes the model",
        "why does the model",
        "why did the model",
        "explain why the model",
        "model explanation",
        "explainability",
        "show me a saliency map",
        "show me the saliency map",
        "show the saliency map",
        "show a saliency map",
        "show me the grad cam",
        "show the grad cam",
        "show me the gradcam",
        "show the gradcam",
        "show me a grad cam",
        "show me a heat map",
        "show a heat map",
        "show me the heatmap",
        "show the heatmap",
        "show me the attention map",
        "show the attention map",
        "show me the activation map",
        "show the activation map",
        "show me the occlusion map",
        "show the occlusion map",
    ),
)
def explain(context: ToolContext, arguments: ExplainArguments) -> Result:
    """A heat map and whether it mattered; see the module."""
    if arguments.finding is not None:
        finding(arguments.finding)
    film = frontal_film(context, arguments.image_id, "an explanation")
    told = assess(context, film, [arguments.finding] if arguments.finding else None, arguments.model)
    method = _method(context, told.model, arguments.method)
    seen = _chosen(told, arguments.finding, film)
    outlines = outline(context, film)
    chest = chest_of(film, outlines.masks)
    asked = _Asked(context, told.model, seen.code)
    title = TITLES[method]
    heat = cover_map(chest, asked.scores) if method == "occlusion" else asked.gradients(film, method, chest.film.shape)
    test = _test(chest, heat, asked, seen, title)
    area = _grown(test.area, film.shape)
    anatomy = Anatomy(outlines)
    spot = area[:: anatomy.step, :: anatomy.step]
    outside = float((test.area & ~chest.inside).sum() / test.area.sum())
    data = ExplainData(
        finding=seen.code, name=display_name(seen.code), status=seen.status, score=seen.score or 0.0,
        threshold=seen.threshold or 0.0, method=method, method_title=title, explained_model=told.card.title,
        place=anatomy.place(Region.LUNG, spot).words if spot.any() and outside < OUTSIDE_WARNED else "",
        area_share=round(float(test.area.sum() / chest.inside.sum()), 4), outside_chest=round(outside, 4),
        mattered=test.mattered, score_covered=round(test.after, 4), score_uncovered=round(test.before, 4),
        score_random_covered=round(test.random_after, 4), random_areas=test.random_areas,
        random_as_low=test.as_low, p_value=round(test.p_value, 4),
    )  # fmt: skip
    label = f"{data.name}: {title}, what raised the score"
    covered = f"{data.name}, area covered in the test"
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(data, seen, SCORE_WORDS.get(told.card.score_kind, "score"))),
        findings=[seen],
        data=data,
        overlays=[Overlay.heatmap(film.id, heat, film.shape, label), Overlay.mask(film.id, area, covered)],
        caveats=_caveats(film, data, told.card.title),
        model=told.model,
        revision=told.revision,
        card=card_facts(told.card, [seen.code]),
    )
