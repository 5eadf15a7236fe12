"""deidentify: who is named in a report's text, and the text without them; or what a film of the session still shows.

Text: names, dates, numbers, addresses and the like become stand-ins, with the list of what was removed. A film of a
session has left its header's identifiers in the file already, so for it the tool looks for text burned into the picture
and says how to write clean files. Rules and lists find identifiers; they miss some.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from imaging.deidentify.burned_in import find_text
from imaging.identity import installation_key, state_directory
from imaging.radiograph import Radiograph
from tools.contract import BadArguments, Overlay, Result, ToolArguments, ToolContext, tool
from tools.contract.films import film_caveats
from tools.contract.results import SUMMARY_MAX_CHARACTERS
from tools.contract.wording import listed, summarise
from tools.phi import deidentified
from tools.read_report import checked_text

KIND_WORDS = {
    "name": "name",
    "date": "date",
    "record_number": "record number",
    "phone": "phone number",
    "email": "e-mail address",
    "address": "address",
    "institution": "institution",
    "ssn": "social security number",
    "national_id": "national id",
    "age_over_89": "age over 89",
    "url": "web address",
    "ip_address": "network address",
    "number": "long number",
}
HOW_TO_CLEAN = "Write clean files with `hilum deid IN OUT`, with --mask-text to black out such text."


class DeidentifyArguments(ToolArguments):
    """A text, or a film of the session."""

    text: str = Field(default="", description="The report or note, exactly as given; leave out for a film.")
    image_id: str = Field(default="", description="Id of a film of this session; leave out for a text.")


class RemovedItem(BaseModel):
    """One stand-in: what kind of thing stood at [start, end) of the text as given, and what stands there now."""

    kind: Literal[
        "name", "date", "record_number", "phone", "email", "address", "institution", "ssn", "national_id",
        "age_over_89", "url", "ip_address", "number",
    ]  # fmt: skip
    start: int
    end: int
    surrogate: str


class DeidentifyData(BaseModel):
    """What was removed. `document` is the clean text; the originals stand nowhere in it."""

    document: str = ""
    removed: list[RemovedItem] = Field(default_factory=list)
    counts: dict[str, int] = Field(default_factory=dict)
    text_boxes: list[tuple[float, float, float, float]] = Field(default_factory=list)


@tool(
    name="deidentify",
    title="De-identify",
    arguments=DeidentifyArguments,
    result=DeidentifyData,
    answers="A report's text without names, dates, numbers and addresses, each replaced by a stand-in, with the list "
    "of what was removed; or where text may be burned into a film.",
    asked_by=(
        "deidentify",
        "de identify",
        "deidentified",
        "de identification",
        "anonymise",
        "anonymize",
        "anonymised",
        "anonymized",
        "pseudonymise",
        "pseudonymize",
        "redact",
        "remove phi",
        "remove the phi",
        "remove all phi",
        "remove identifiers",
        "remove the identifiers",
        "remove all identifiers",
        "remove the names",
        "remove names",
        "remove the patients name",
        "remove patient data",
        "remove the patient data",
        "remove personal data",
        "remove personal information",
        "strip the identifiers",
        "scrub this",
        "protected health information",
        "identifying information",
        "burned in text",
        "text burned into",
        "name burned into",
    ),
)
def deidentify(context: ToolContext, arguments: DeidentifyArguments) -> Result:
    """The clean text, or what a film shows; see the module."""
    if not arguments.text.strip() and not arguments.image_id:
        raise BadArguments("There is neither a text nor a film to de-identify.", "Paste the text, or name a film.")
    film = context.films.get(arguments.image_id) if arguments.image_id else None
    data = DeidentifyData()
    sentences, caveats = [], []
    if arguments.text.strip():
        clean = deidentified(checked_text(arguments.text, "text"), installation_key(state_directory()))
        data.document = clean.text
        data.removed = [RemovedItem.model_validate(vars(each)) for each in clean.removed]
        data.counts = clean.counts()
        sentences.append(_removed(data.counts))
        caveats.append("Found by rules and lists of names, which miss some: read the text before it leaves the house.")
        caveats.append("Dates moved by the same number of days, so that intervals stay; the same name stays the same.")
    overlays: list[Overlay] = []
    if film is not None:
        data.text_boxes = [(float(a), float(b), float(c), float(d)) for a, b, c, d in find_text(film.pixels)]
        sentences += _of_film(film, data)
        overlays = [Overlay.box(film.id, box, "burned-in text") for box in data.text_boxes]
        caveats += [*film_caveats(film), "Text may be missed and anatomy taken for text: look at the film."]
    summary = summarise(sentences)
    if data.document:
        room = SUMMARY_MAX_CHARACTERS - len(summary) - 3
        summary = f"{summary}\n\n{data.document[:room]}{'…' if len(data.document) > room else ''}"
    return Result(
        image_ids=[film.id] if film is not None else [],
        summary=summary,
        data=data,
        overlays=overlays,
        caveats=caveats,
    )


def _removed(counts: dict[str, int]) -> str:
    told = [f"{count} {_counted(KIND_WORDS[kind], count)}" for kind, count in counts.items()]
    if not told:
        return "Nothing that identifies a person was found in the text; it is unchanged."
    return f"Removed and replaced by stand-ins: {listed(told)}."


def _counted(word: str, count: int) -> str:
    plural = {"age over 89": "ages over 89"}.get(word, f"{word}{'es' if word.endswith('s') else 's'}")
    return word if count == 1 else plural


def _of_film(film: Radiograph, data: DeidentifyData) -> list[str]:
    count = len(data.text_boxes)
    found = f"Text may be burned into the picture at {count} place{'s' if count > 1 else ''}."
    return [
        found if count else "No text was seen in the picture.",
        "The film itself holds no header: its identifiers stayed in the file when it was opened.",
        HOW_TO_CLEAN,
    ]
