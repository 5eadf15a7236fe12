"""vqa: what does a vision-language model answer to a free question about one film?

Answers in the model's own words, with each finding it states held against the classifier. Chest radiographs of any
view, with a lateral and an earlier film beside it. Its words are evidence of their own kind, without score, box or
place; how often they are right was not measured here. Needs a model of the full profile. One behind an address, to
which the film would leave this machine, answers only where the user chose it in the settings; no planner can.
"""

from __future__ import annotations

import secrets

from pydantic import BaseModel, Field

from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import Radiograph
from models.catalog import CatalogEntry
from models.outputs import ScoreKind, Task, Text
from models.request import Question
from tools.classify import assess
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, unreadable
from tools.contract.quality import film_quality, quality_of
from tools.contract.wording import listed, sentence_case, summarise
from tools.phi import deidentified
from tools.writing import Written, held_against, quoted
from tools.writing.held import answered, verdict

QUESTION_MAX = 2000
TOKENS_MAX = 512

KEY = secrets.token_bytes(16)
"""From which the stand-ins for identifiers in a question are drawn; another one in every process."""

NOT_MEASURED = (
    "A language model wrote this from the film: how often it is right was not measured here, and it can invent."
)
NO_PLACE = "A side or place in it is the model's word; no box comes from it. Use ground to localise a finding."
CUT = "The answer was cut at the longest text allowed."


class VqaArguments(ToolArguments):
    """Which film, and what to ask."""

    image_id: str = Field(description="Id of one chest film of this session, of any view.")
    question: str = Field(
        min_length=1, max_length=QUESTION_MAX, description="The question as the user asked it, with its options if any."
    )
    lateral_id: str | None = Field(default=None, description="A lateral film of the same study to show beside it.")
    prior_id: str | None = Field(default=None, description="An earlier film of the same patient to show beside it.")
    model: str | None = Field(
        default=None, description="Catalog id of the model; leave out for the session's own choice."
    )
    max_new_tokens: int = Field(default=256, ge=8, le=TOKENS_MAX, description="Longest answer, in the model's tokens.")


class VqaData(BaseModel):
    """The answer word for word, and its statements beside the classifier's."""

    question: str
    answer: str
    truncated: bool
    model: str
    title: str
    statements: list[Written]
    sent_away: bool = Field(description="whether the film left this machine for it")
    removed: list[str] = Field(default_factory=list, description="kinds of identifiers taken out of the question first")


@tool(
    name="vqa",
    title="Ask a vision-language model",
    arguments=VqaArguments,
    result=VqaData,
    needs=(Task.ANSWER,),
    answers="A vision-language model's own words on a chest film of any view, its statements beside the classifier's; "
    "no score and no box.",
    asked_by=(
        "ask the vision model",
        "ask the vision language model",
        "ask the language model",
        "ask a vision model",
        "ask the vlm",
        "ask a vlm",
        "ask medgemma",
        "ask radvlm",
        "ask chexagent",
        "ask llava",
        "ask the model",
        "vision model",
        "vision language model",
        "vlm",
        "vqa",
        "visual question",
        "visual question answering",
        "what does the vision model say",
        "what does the vlm say",
        "what does the language model say",
        "what does medgemma say",
        "what would the vision model say",
        "according to the vision model",
        "according to the vlm",
        "in the vision models words",
        "in your own words",
        "describe freely",
        "free description",
        "describe in free text",
        "free text answer",
        "answer freely",
        "second opinion",
        "second opinion from a model",
        "another models opinion",
    ),
)
def vqa(context: ToolContext, arguments: VqaArguments) -> Result:
    """The model's answer; see the module."""
    entry = _chosen(context, arguments.model)  # no film is looked at where no model is here
    film = _chest_film(context, arguments.image_id)
    beside = [_beside(context, film, key) for key in (arguments.lateral_id, arguments.prior_id)]
    if entry.on_request and any(beside):
        raise BadArguments(f"{entry.id} is shown one film.", "Leave lateral_id and prior_id out.")
    asked, removed = _outgoing(arguments.question, away=entry.on_request)
    question = Question(text=asked, lateral=beside[0], prior=beside[1], max_new_tokens=arguments.max_new_tokens)
    [made] = context.models.predict(Task.ANSWER, [film], model_id=entry.id, question=question)
    if not isinstance(made.output, Text):
        raise TypeError(f"{made.model_id} serves answer but returned {type(made.output).__name__}")
    said, title = made.output.text.strip(), made.card.title
    statements = _statements(context, film, asked, said)
    data = VqaData(
        question=asked, answer=said, truncated=made.output.truncated, model=made.model_id, title=title,
        statements=statements, sent_away=entry.on_request, removed=removed,
    )  # fmt: skip
    return Result(
        image_ids=[film.id, *(each.id for each in beside if each is not None)],
        summary=summarise(_sentences(data)),
        findings=[_finding(film, each, title) for each in statements],
        data=data,
        caveats=[
            *([CUT] if data.truncated else []),
            NOT_MEASURED,
            NO_PLACE,
            *(["The film left this machine for this answer, as the settings allow."] if data.sent_away else []),
            *film_caveats(film),
        ],
        model=made.model_id,
        revision=made.revision,
        card=card_facts(made.card),
    )


def _chest_film(context: ToolContext, image_id: str) -> Radiograph:
    """A film of the session that looks like a chest film, lying as it should; raises NotApplicable otherwise."""
    film = context.films.get(image_id)
    quality = quality_of(film_quality(context.models, film))
    refusal = unreadable(film, quality, "asking a model about it") if quality is not None else None
    if refusal is not None:
        raise refusal
    return film


def _beside(context: ToolContext, film: Radiograph, image_id: str | None) -> Radiograph | None:
    """Another film to show; of another patient it is refused."""
    if image_id is None:
        return None
    other = context.films.get(image_id)
    if None not in (film.patient_key, other.patient_key) and film.patient_key != other.patient_key:
        raise BadArguments("The films are of different patients.", "Ask about one patient's films.")
    return other


def _chosen(context: ToolContext, model: str | None) -> CatalogEntry:
    """The model that answers. One that is only used on request must be the user's choice in the settings.

    Raises:
        Unavailable: none is here, or the one named takes films away and the user did not choose it.
    """
    entry = context.models.resolve(Task.ANSWER, model)
    if model is not None and entry.on_request and not _is_users_choice(context, entry):
        raise Unavailable(
            f"{entry.id} would take the film off this machine, and the settings do not choose it.",
            f'Whoever answers for the films may allow it: models.answer = "{entry.id}" in hilum.toml.',
        )
    return entry


def _is_users_choice(context: ToolContext, entry: CatalogEntry) -> bool:
    try:
        return context.models.resolve(Task.ANSWER).id == entry.id
    except Unavailable:
        return False


def _outgoing(question: str, *, away: bool) -> tuple[str, list[str]]:
    """The question as it is asked; where it leaves this machine without identifiers, whose kinds are told."""
    if not away:
        return question, []
    clean = deidentified(question, KEY)
    return clean.text, sorted({each.kind for each in clean.removed})


def _statements(context: ToolContext, film: Radiograph, question: str, said: str) -> list[Written]:
    """What the answer states of findings, a bare yes or no with the question's own finding; beside the classifier's."""
    seen = assess(context, film).findings if film.is_frontal and context.models.serves(Task.CLASSIFY) else []
    statements = held_against(said, seen)
    bare = answered(question, said)
    if bare is not None and bare.finding not in {each.finding for each in statements}:
        status = next((item.status for item in seen if item.code == bare.finding), Status.NOT_ASSESSED)
        said_so = bare.model_copy(update={"classifier": status, "verdict": verdict(bare.stated, status)})
        statements = [said_so, *statements]
    return statements


def _finding(film: Radiograph, statement: Written, title: str) -> Finding:
    return Finding(
        code=statement.finding,
        image_id=film.id,
        status=statement.stated,
        score_kind=ScoreKind.NONE,
        reason=f"{title} wrote so; it gives no score",
    )


def _sentences(data: VqaData) -> list[str]:
    lead = f'{data.title} answers: "{quoted(data.answer)}"' if data.answer else f"{data.title} wrote nothing."
    lines = [lead if lead.endswith((".", "!", "?")) else f"{lead}."]
    against = [each for each in data.statements if each.verdict == "contradicts"]
    agree = [each for each in data.statements if each.verdict == "agrees"]
    if against:
        told = listed(f"{each.name} (written as {each.stated}, classified as {each.classifier})" for each in against)
        lines.append(f"The classifier contradicts it on {told}.")
    if agree:
        lines.append(f"The classifier agrees with it on {listed(each.name for each in agree)}.")
    if rest := [each.name for each in data.statements if each.verdict == "not assessed"]:
        lines.append(f"{sentence_case(listed(rest))}: nothing here assesses what it writes.")
    return lines


__all__ = ["VqaData", "vqa"]
