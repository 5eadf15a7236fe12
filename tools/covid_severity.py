"""covid_severity: how far is the lung of an adult with COVID-19 involved, on one frontal film?

Answers two scores as experts gave them: geographic extent (0 to 8) and density of the opacity (0 to 6), by the model
of Cohen et al. (2020). Adults with confirmed COVID-19 pneumonia only: it cannot tell COVID-19 from anything else, and
says nothing of films without it. Without that model's weights the tool is not there.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from imaging.failures import NotApplicable
from imaging.radiograph import View
from models.outputs import Attributes, Task
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import adult_film, film_caveats
from tools.contract.wording import summarise

EXTENT_MAX, OPACITY_MAX = 8, 6
"""Upper ends of the scales: both lungs' extent of 0 to 4 each, and their opacity of 0 to 3 each (arXiv:2005.11856)."""

POPULATION = (
    "Fitted on 94 PA films of patients with COVID-19 in one public collection (Cohen et al. 2020), whose authors state "
    "mean absolute errors of 1.14 for extent and 0.78 for opacity; not measured by Hilum."
)
ANY_OPACITY = "It reads how opaque the lungs are, whatever the cause: edema, other pneumonia or collapse raise it too."
UNCONFIRMED = "Nobody said that COVID-19 is confirmed: the scores mean nothing if it is not."
NOT_PA = "The model was fitted on PA films; this one is {view}."


class CovidSeverityArguments(ToolArguments):
    """Which film, and what is known of the patient."""

    image_id: str = Field(description="Id of one frontal film of an adult in this session.")
    confirmed: bool | None = Field(
        default=None, description="Whether a test confirmed COVID-19; leave out where the user has not said."
    )
    model: str | None = Field(default=None, description="Catalog id of the model; leave out for the first one here.")


class CovidSeverityData(BaseModel):
    """Both scores, and whom they hold for."""

    geographic_extent: float = Field(description="0 (no lung involved) to 8 (more than three quarters of both)")
    opacity: float = Field(description="0 (none) to 6 (dense in both lungs)")
    population: str
    confirmed: bool | None


@tool(
    name="covid_severity",
    title="COVID-19 severity",
    arguments=CovidSeverityArguments,
    result=CovidSeverityData,
    needs=(Task.COVID_SEVERITY, Task.SEGMENT),
    answers="Extent and density of opacity on a frontal film (PA or AP) of an adult with confirmed COVID-19; others "
    "are refused.",
    asked_by=(
        "covid severity",
        "covid 19 severity",
        "severity of covid",
        "severity of covid 19",
        "severity of the covid",
        "how severe is the covid",
        "how severe is covid",
        "how bad is the covid",
        "covid score",
        "covid 19 score",
        "grade the covid",
        "grade covid",
        "score the covid",
        "extent of covid",
        "extent of the covid pneumonia",
        "covid pneumonia severity",
        "severity of covid pneumonia",
        "how severe is the covid pneumonia",
        "geographic extent",
        "brixia score",
        "lung involvement score",
    ),
)
def covid_severity(context: ToolContext, arguments: CovidSeverityArguments) -> Result:
    """Two scores with their population; see the module."""
    if arguments.confirmed is False:
        raise NotApplicable(
            "COVID-19 is said not to be confirmed; the severity score was made for patients who have it.",
            "Ask classify what is on the film.",
        )
    context.models.resolve(Task.COVID_SEVERITY, arguments.model)  # no film is looked at where the weights are not here
    film = adult_film(context, arguments.image_id, "the COVID-19 severity score")
    [prediction] = context.models.predict(Task.COVID_SEVERITY, [film], model_id=arguments.model)
    output = prediction.output
    if not isinstance(output, Attributes):
        raise TypeError(f"{prediction.model_id} serves covid_severity but returned {type(output).__name__}")
    values = dict(zip(output.labels, output.values.tolist(), strict=True))
    data = CovidSeverityData(
        geographic_extent=round(values["geographic_extent"], 2), opacity=round(values["opacity"], 2),
        population=POPULATION, confirmed=arguments.confirmed,
    )  # fmt: skip
    told = (
        f"If the patient has COVID-19: geographic extent {data.geographic_extent:.1f} of {EXTENT_MAX}, opacity "
        f"{data.opacity:.1f} of {OPACITY_MAX} ({prediction.card.title})."
    )
    taken = "of unknown view" if film.view is View.UNKNOWN else film.view.value
    view = [] if film.view is View.PA else [NOT_PA.format(view=taken)]
    return Result(
        image_ids=[film.id],
        summary=summarise([told, ANY_OPACITY]),
        data=data,
        caveats=[*([] if arguments.confirmed else [UNCONFIRMED]), POPULATION, *view, *film_caveats(film)],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )
