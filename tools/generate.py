"""generate: how could a film with this look?

Answers a synthetic film of nobody, drawn from plain words: by a diffusion model where one is here, else by the
phantom, whose truth is exact and comes along. It is watermarked, marked as synthetic and no patient's. No other tool
reads it unless the user names it.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, Field

from imaging.derived import synthetic
from imaging.failures import BadArguments
from imaging.overlays import Overlay
from imaging.phantom import FINDINGS, FindingSpec, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.facts import own_code
from imaging.radiograph import Radiograph, Source, View, canonical, film_id
from models.outputs import Picture, Task
from models.predictions import Prediction
from models.request import Question, Request
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.made import MadeFilm, described, keep
from tools.contract.wording import listed, sentence_case, summarise
from tools.drawing import Wish, read, specified
from tools.drawing.specification import name
from tools.knowledge import findings

SEEDS = 100_000
"""Patients to choose from where no seed is given: the words choose, so that the same words give the same film."""

PHANTOM = "phantom"

CODE = "synthetic"

LATERAL_FINDINGS = "On a lateral film the two sides lie over each other: the side of a finding cannot be seen."

PHANTOM_CAVEAT = (
    "The phantom is a simulation: it looks plainer than a patient, and a model's answer on it says little about its "
    "answers on patients."
)
MODEL_CAVEAT = "A model drew this from words: nothing guarantees that it shows what was asked, on the side asked for."


class GenerateArguments(ToolArguments):
    """What to show, and of whom."""

    prompt: str = Field(
        default="",
        max_length=1000,
        description="What to show in plain words, e.g. 'moderate left effusion in a 60-year-old woman, lateral view'.",
    )
    phantom_findings: list[str] | None = Field(
        default=None,
        max_length=8,
        description="In place of the findings in `prompt`, the phantom's own words, e.g. ['effusion:left:400ml'].",
    )
    view: Literal["PA", "AP", "LATERAL"] | None = Field(default=None, description="Left out, `prompt` tells, else PA.")
    age_years: int | None = Field(default=None, ge=0, le=120, description="Left out, `prompt` tells, else any age.")
    sex: Literal["F", "M"] | None = Field(default=None, description="Left out, `prompt` tells, else any.")
    seed: int | None = Field(
        default=None, ge=0, description="Another seed gives another person; left out, `prompt` does."
    )
    model: str | None = Field(
        default=None,
        description=f"'{PHANTOM}', or the catalog id of a model; left out, the best model here, else the phantom.",
    )


class Drawn(BaseModel):
    """One finding that was put into the film."""

    code: str
    name: str
    side: str | None
    specification: str = Field(description="in the phantom's words")


class GenerateData(MadeFilm):
    """The synthetic film and what it was made of."""

    generator: str = Field(description="phantom, or the model's catalog id")
    prompt: str = Field(description="the words that a model drew from; empty for the phantom")
    view: str
    age_years: float | None
    sex: str | None
    seed: int
    findings: list[Drawn] = Field(description="what the phantom put into the film, exactly; empty for a model")


@tool(
    name="generate",
    title="Draw a synthetic film",
    arguments=GenerateArguments,
    result=GenerateData,
    answers="A synthetic film of nobody, watermarked, with the findings, view, age and sex that were asked for.",
    asked_by=(
        "show an example",
        "show an example of",
        "show me an example",
        "show me an example of",
        "give me an example of",
        "give an example of",
        "an example of",
        "example film",
        "example image",
        "example of",
        "another example",
        "typical example",
        "a typical film of",
        "what does a typical",
        "show a synthetic",
        "show me a synthetic",
        "a synthetic",
        "synthetic film",
        "synthetic image",
        "synthetic lateral",
        "synthetic lateral view",
        "synthetic chest",
        "make a synthetic",
        "create a synthetic",
        "generate",
        "generate a film",
        "generate an image",
        "generate a chest",
        "generate a synthetic",
        "generate a normal",
        "generate a healthy",
        "generate an x ray",
        "create a normal",
        "create a chest",
        "make a normal",
        "make a film",
        "simulate a normal",
        "draw a normal",
        "show me a normal",
        "show a normal",
        "simulate",
        "simulate a film",
        "a simulated",
        "simulated film",
        "simulated image",
        "draw a film",
        "draw a chest",
        "create a film",
        "create an image",
        "make up a film",
        "phantom film",
        "a phantom",
    ),
)
def generate(context: ToolContext, arguments: GenerateArguments) -> Result:
    """A synthetic film as a film of the session; see the module."""
    wish = _wish(arguments)
    seed = arguments.seed if arguments.seed is not None else zlib.crc32(arguments.prompt.encode()) % SEEDS
    by_phantom = arguments.model == PHANTOM or (
        arguments.model is None and (arguments.phantom_findings or not context.models.serves(Task.GENERATE))
    )
    if by_phantom:
        return _by_phantom(context, arguments, wish, seed)
    return _by_model(context, arguments, wish, seed)


def _wish(arguments: GenerateArguments) -> Wish:
    """What the words say, under what the other arguments say."""
    if not arguments.prompt.strip() and not arguments.phantom_findings:
        raise BadArguments("Nothing says what to show.", "Say it in `prompt`, e.g. 'normal film of a 40-year-old man'.")
    told = read(arguments.prompt)
    return replace(
        told,
        view=arguments.view or told.view,
        age_years=told.age_years if arguments.age_years is None else arguments.age_years,
        sex=arguments.sex or told.sex,
    )


def _by_phantom(context: ToolContext, arguments: GenerateArguments, wish: Wish, seed: int) -> Result:
    specs, notes = specified(wish.findings)
    if arguments.phantom_findings:
        specs, notes = tuple(parse_finding(each) for each in arguments.phantom_findings), []
    view = View(wish.view or View.PA)
    film = make_phantom(PhantomSpec(seed=seed, view=view, age_years=wish.age_years, sex=wish.sex, findings=specs))
    drawn = [
        Drawn(code=each.code, name=name(each.code), side=side, specification=str(each))
        for each, side in zip(specs, _sides(film, [spec.code for spec in specs]), strict=True)
    ]
    what = listed(_called(each, spec) for each, spec in zip(drawn, specs, strict=True)) or "no finding"
    made = keep(
        context,
        synthetic(replace(film.radiograph, view_origin="user"), "drawn from words", f"Hilum's phantom, seed {seed}"),
    )
    caveats = [made.warnings[0], PHANTOM_CAVEAT, *notes]
    if view is View.LATERAL and any(each.side in ("left", "right") for each in drawn):
        caveats.append(LATERAL_FINDINGS)
    data = _data(context, made, PHANTOM, "", seed, drawn)
    return Result(
        image_ids=[made.id],
        summary=_summary(data, what, notes),
        data=data,
        overlays=[
            Overlay.mask(made.id, film.masks[entry["mask"]], name(own_code(entry)))
            for entry in film.findings
            if entry["visible"]
        ],
        caveats=caveats,
    )


def _by_model(context: ToolContext, arguments: GenerateArguments, wish: Wish, seed: int) -> Result:
    prompt = _prompt(arguments, wish)
    [prediction] = context.models.ask(
        Task.GENERATE, [Request(None, Question(text=prompt, seed=seed))], model_id=arguments.model
    )
    made = keep(context, synthetic(_film(prediction, wish), "drawn from words", f"{prediction.model_id}"))
    data = _data(context, made, prediction.model_id, prompt, seed, [])
    return Result(
        image_ids=[made.id],
        summary=_summary(data, f"what was asked for ({prompt})", []),
        data=data,
        caveats=[made.warnings[0], MODEL_CAVEAT],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )


def _film(prediction: Prediction, wish: Wish) -> Radiograph:
    """The model's picture as a film of the view, age and sex that were asked for."""
    drawn = prediction.output
    if not isinstance(drawn, Picture):
        raise TypeError(f"{prediction.model_id} serves generate but returned {type(drawn).__name__}")
    pixels = canonical(drawn.pixels)
    rows, columns = pixels.shape
    return Radiograph(
        id=film_id(pixels),
        pixels=pixels,
        source=Source(prediction.model_id, rows, columns, 8, "MONOCHROME2"),
        view=View(wish.view) if wish.view else View.UNKNOWN,
        view_origin="user" if wish.view else "none",
        age_years=wish.age_years,
        sex=wish.sex,
    )


def _prompt(arguments: GenerateArguments, wish: Wish) -> str:
    """The findings as an impression would list them, as such models were trained on; else the user's own words."""
    said = [
        " ".join(part for part in (each.grade, each.side, (each.place or "").replace("_", " "), each.words) if part)
        for each in wish.findings
    ]
    who = {"F": "woman", "M": "man"}.get(wish.sex or "", "")
    person = f"{wish.age_years}-year-old {who or 'person'}" if wish.age_years is not None else who
    parts = [*said, *([f"{wish.view} view"] if wish.view else []), *([person] if person else [])]
    return f"{sentence_case(', '.join(parts))}." if said else arguments.prompt.strip()


def _sides(film: PhantomFilm, codes: list[str]) -> list[str | None]:
    """The side on which each finding asked for was drawn, in order; both where there are two of it."""
    found: dict[str, list[str]] = {}
    for entry in film.findings:
        found.setdefault(own_code(entry), []).extend([entry["side"]] if entry["side"] else [])
    return [
        "bilateral" if {"left", "right"} <= set(found.get(code, [])) else next(iter(found.get(code, [])), None)
        for code in codes
    ]


def _called(drawn: Drawn, spec: FindingSpec) -> str:
    """ "pleural effusion on the left (500 ml)"."""
    side = {"bilateral": " on both sides", None: ""}.get(drawn.side, f" on the {drawn.side}")
    unit = FINDINGS[spec.code].unit
    severity = f"severity {spec.value:g} of 1" if spec.code in findings() else ""
    amount = {"ratio": f"cardiothoracic ratio {spec.value:g}", "": severity}
    place = spec.lobe or (f"{spec.zone} zone" if spec.zone else None)
    parts = [amount.get(unit, f"{spec.value:g} {unit}"), place, spec.kind]
    told = ", ".join(part.replace("_", " ") for part in parts if part)
    return f"{drawn.name}{side}" + (f" ({told})" if told else "")


def _data(
    context: ToolContext, made: Radiograph, generator: str, prompt: str, seed: int, drawn: list[Drawn]
) -> GenerateData:
    return GenerateData(
        **described(context, made, CODE),
        generator=generator,
        prompt=prompt,
        view=made.view.value,
        age_years=made.age_years,
        sex=made.sex,
        seed=seed,
        findings=drawn,
    )


def _summary(data: GenerateData, what: str, notes: list[str]) -> str:
    person = {"F": "woman", "M": "man"}.get(data.sex or "", "person")
    age = f" of {data.age_years:.0f} years" if data.age_years is not None else ""
    view = "lateral" if data.view == View.LATERAL else data.view if data.view != View.UNKNOWN else "chest"
    by = "Hilum's phantom" if data.generator == PHANTOM else data.generator
    return summarise(
        [
            f"{sentence_case(data.film_name)} is a SYNTHETIC {view} film, drawn by {by}: an invented {person}{age}.",
            f"Drawn into it: {what}.",
            *notes,
            "It shows no patient, and nothing is read on it unless you ask for it by its number.",
        ]
    )
