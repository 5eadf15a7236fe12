"""retrieve_knowledge: what is published on a finding? Passages with numbered sources, or nothing where none answers.

The passages are ours (tools/knowledge/passages: definition, signs, mimics, thresholds and follow-up of every finding of
the ontology, each with its published source), those on the measurements, and the user's own files that
`hilum index knowledge` read. They speak of findings in general: never of a film, and never as an instruction.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, Field

from tools.contract import BadArguments, Result, ToolArguments, ToolContext, tool
from tools.contract.results import SUMMARY_MAX_CHARACTERS
from tools.contract.wording import summarise
from tools.knowledge import finding as known_finding
from tools.library import Found, Hit, search
from tools.library.passages import OWN

QUESTION_MAX_CHARACTERS = 1000
"""More is a text to be read, not a question."""
PASSAGES_CHARACTERS = 700
"""Characters of the summary for the passages; the sources take the rest."""
BRACKETS = re.compile(r"[\[\]]")
"""Left out of what a user's file says, so that nothing in it looks like one of our citations."""

GENERAL = "Passages tell what is published on a finding in general; they say nothing of this film and overrule no tool."
OURS = "The passages are Hilum's own summaries of the sources named; read the source before you rely on one."
YOURS = "Passages from your own files are quoted as they stand there, unchecked."
WORDS_ONLY = "No model here embeds texts, so passages were found by their words alone, which finds fewer of them."
SCORE_MEANING = (
    "Share of such pairs of question and passage, among labelled ones, in which the passage answered (evals/knowledge)."
)


class RetrieveKnowledgeArguments(ToolArguments):
    """What to look up."""

    question: str = Field(
        description="The question in the user's words, one matter at a time.",
        min_length=1,
        max_length=QUESTION_MAX_CHARACTERS,
    )
    findings: list[str] = Field(
        default_factory=list, description="Codes of the findings that it is about, where it does not name them."
    )
    k: int = Field(default=3, ge=1, le=6, description="Passages at most; fewer where fewer answer.")


class GivenPassage(BaseModel):
    """One passage; `sources` are numbers in the list of sources, `score` is what `score_meaning` says."""

    id: str
    title: str
    heading: str
    text: str
    sources: list[int]
    own: bool = Field(description="from the user's own files")
    score: float
    findings: list[str]


class RetrieveKnowledgeData(BaseModel):
    """The passages, best first; none where none reached the cut-off. `document` is the numbered list of sources."""

    question: str
    findings: list[str]
    passages: list[GivenPassage]
    sources: list[str]
    searched: int
    way: str
    score_meaning: str = SCORE_MEANING
    document: str = ""


@tool(
    name="retrieve_knowledge",
    title="Look up what is published",
    arguments=RetrieveKnowledgeArguments,
    result=RetrieveKnowledgeData,
    answers="What a finding is, its signs, mimics, limits and follow-up, with numbered published sources; and your own "
    "Markdown and PDF files. Says so where no passage answers. Reads no film.",
    asked_by=(
        "give a source",
        "give me a source",
        "give the source",
        "give sources",
        "give me sources",
        "with a source",
        "with sources",
        "cite a source",
        "cite sources",
        "cite the source",
        "cite a reference",
        "cite the literature",
        "source please",
        "sources please",
        "what is the source",
        "what is your source",
        "any sources",
        "give a reference",
        "give me a reference",
        "give references",
        "references please",
        "what does the literature say",
        "the literature",
        "in the literature",
        "published on",
        "what is published",
        "guideline",
        "guidelines",
        "what does the guideline say",
        "what do the guidelines say",
        "fleischner",
        "textbook",
        "look it up",
        "look up",
        "definition of",
        "how is it defined",
        "define",
        "what mimics",
        "what can mimic",
        "which mimics",
        "mimics of",
        "what can be mistaken for",
        "what is mistaken for",
        "in my documents",
        "in my files",
        "in our guidelines",
        "in our protocol",
    ),
)
def retrieve_knowledge(context: ToolContext, arguments: RetrieveKnowledgeArguments) -> Result:
    """The passages that answer; see the module."""
    if not any(letter.isalpha() for letter in arguments.question):
        raise BadArguments("The question holds no words.", "Ask about a finding, for example its signs or its limits.")
    for code in arguments.findings:
        known_finding(code)
    found = search(arguments.question, context.home, context.models, codes=tuple(arguments.findings), most=arguments.k)
    data = _data(arguments.question, found)
    yours, ours = any(p.own for p in data.passages), any(not p.own for p in data.passages)
    caveats = [*([GENERAL] if data.passages else []), *([OURS] if ours else []), *([YOURS] if yours else [])]
    caveats += [WORDS_ONLY] if found.way == "words" else []
    short = {
        long: brief for hit in found.hits for long, brief in zip(hit.passage.sources, hit.passage.short, strict=True)
    }
    return Result(summary=_summary(data, short), data=data, caveats=caveats)


def _data(question: str, found: Found) -> RetrieveKnowledgeData:
    sources = list(dict.fromkeys(source for hit in found.hits for source in hit.passage.sources))
    document = "\n".join(["Sources:", *(f"[{n}] {source}" for n, source in enumerate(sources, start=1))])
    return RetrieveKnowledgeData(
        question=question,
        findings=list(found.query.codes),
        passages=[_given(hit, sources) for hit in found.hits],
        sources=sources,
        searched=found.searched,
        way=found.way,
        document=document if sources else "",
    )


def _given(hit: Hit, sources: list[str]) -> GivenPassage:
    passage = hit.passage
    return GivenPassage(
        id=passage.id,
        title=passage.title,
        heading=passage.heading,
        text=passage.text,
        sources=[sources.index(source) + 1 for source in passage.sources],
        own=passage.origin != OWN,
        score=hit.score,
        findings=list(passage.findings),
    )


def _summary(data: RetrieveKnowledgeData, short: dict[str, str]) -> str:
    """The passages with the numbers of their sources, then, as a paragraph of its own, those sources in short."""
    if not data.passages:
        return (
            f"None of the {data.searched} passages here answers that. They tell what the findings are, their signs, "
            "mimics, limits and follow-up; your own files can be added with `hilum index knowledge FOLDER`."
        )
    lead = [_told(data.passages[0])]
    for passage in data.passages[1:]:
        told = _told(passage)
        lead += [told] if len(" ".join([*lead, told])) <= PASSAGES_CHARACTERS else []
    sources = [f"[{n}] {short[source]}" for n, source in enumerate(data.sources, start=1)]
    room = SUMMARY_MAX_CHARACTERS - len(" ".join(lead)) - len("\n\nSources: .")
    while len("; ".join(sources)) > room:
        sources = [*sources[:-2], "…"]
    return f"{' '.join(lead)}\n\nSources: {'; '.join(sources)}."


def _told(passage: GivenPassage) -> str:
    """ "Pneumothorax, thresholds: Large by ... [1, 2].", as many whole sentences as fit; the user's own in quotes."""
    about = ", ".join(part for part in (passage.title, passage.heading.lower()) if part)
    numbers = f" [{', '.join(map(str, passage.sources))}]."
    text = summarise(_sentences(passage.text), PASSAGES_CHARACTERS - len(about) - len(numbers))
    if passage.own:
        return f"{about}, from your file: “{BRACKETS.sub('', text).strip()}”{numbers}"
    return f"{about}: {text.rstrip('.')}{numbers}"


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+", text)
