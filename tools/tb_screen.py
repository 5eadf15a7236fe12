"""tb_screen: does one frontal film of an adult look like pulmonary tuberculosis?

Answers a screening score and which side of its limit it lies on, by a model that was trained for it, with the
population it was made on; where that model can also be asked what it went by, explain shows it. Adults only. A film
neither proves nor excludes tuberculosis; without such a model's weights the tool is not there.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from models.outputs import Scores, Task
from tools.classify import SCORE_WORDS, judge
from tools.contract import Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import adult_film, film_caveats
from tools.contract.wording import summarise

CODE = "tuberculosis"

POPULATION = (
    "Made on films of adults from one hospital in Shenzhen among others: small public sets on which models also learn "
    "the hospital. Expect it to be worse elsewhere, in children, and in people with HIV."
)
NO_PROOF = "A film neither proves nor excludes tuberculosis: sputum does. It is a screening score, not a diagnosis."


class TbScreenArguments(ToolArguments):
    """Which film, and by which model."""

    image_id: str = Field(description="Id of one frontal film of an adult in this session.")
    model: str | None = Field(default=None, description="Catalog id of the model; leave out for the first one here.")


class TbScreenData(BaseModel):
    """The screening score, and whom it holds for."""

    score: float
    threshold: float
    status: Status
    score_word: str
    population: str
    training_data: str


@tool(
    name="tb_screen",
    title="Screen for tuberculosis",
    arguments=TbScreenArguments,
    result=TbScreenData,
    needs=(Task.TB_SCREEN, Task.SEGMENT),
    answers="How far a frontal film (PA or AP) of an adult looks like pulmonary tuberculosis, by a model trained for "
    "it; children are refused.",
    asked_by=(
        "screen for tb",
        "screen for tuberculosis",
        "tb screen",
        "tb screening",
        "tuberculosis screening",
        "tuberculosis screen",
        "screen this film for tb",
        "screen this film for tuberculosis",
        "screen the film for tuberculosis",
        "screen the film for tb",
        "screen him for tuberculosis",
        "screen her for tuberculosis",
        "test for tuberculosis",
        "tb score",
        "tuberculosis score",
        "is it tb",
        "could it be tb",
        "could this be tb",
        "could this be tuberculosis",
        "could it be tuberculosis",
        "does it look like tb",
        "does this look like tb",
        "does this look like tuberculosis",
        "active tb",
        "active tuberculosis",
        "pulmonary tb",
    ),
)
def tb_screen(context: ToolContext, arguments: TbScreenArguments) -> Result:
    """A screening score with its population; see the module."""
    context.models.resolve(Task.TB_SCREEN, arguments.model)  # no film is looked at where the weights are not here
    film = adult_film(context, arguments.image_id, "screening for tuberculosis")
    [prediction] = context.models.predict(Task.TB_SCREEN, [film], model_id=arguments.model)
    output = prediction.output
    if not isinstance(output, Scores):
        raise TypeError(f"{prediction.model_id} serves tb_screen but returned {type(output).__name__}")
    card = prediction.card
    seen = judge(film.id, card, CODE, dict(zip(output.codes, output.values.tolist(), strict=True)))
    word = SCORE_WORDS.get(card.score_kind, "score")
    if seen.score is None or seen.threshold is None:
        raise TypeError(f"{prediction.model_id} serves tb_screen, and its card has no threshold for {CODE}")
    side = {Status.PRESENT: "above", Status.ABSENT: "below"}.get(seen.status, "too near to decide at")
    told = (
        f"Screening for tuberculosis: {word} {seen.score:.2f}, {side} the limit {seen.threshold:.2f} ({card.title}); "
        f"the screen is {'positive' if seen.status is Status.PRESENT else 'negative' if side == 'below' else 'open'}."
    )
    return Result(
        image_ids=[film.id],
        summary=summarise([told, NO_PROOF]),
        findings=[seen],
        data=TbScreenData(
            score=seen.score, threshold=seen.threshold, status=seen.status, score_word=word, population=POPULATION,
            training_data=card.training_data,
        ),
        caveats=[POPULATION, *film_caveats(film)],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(card, [CODE]),
    )  # fmt: skip
