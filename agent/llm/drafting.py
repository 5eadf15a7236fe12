"""Answers as structured output: statements with the evidence of each, in place of prose in which they must be found.

Only the form is the model's promise; the statements go through the same check as prose (agent/claims).
"""

from __future__ import annotations

import re

from langchain.agents.middleware import ModelResponse
from langchain_core.messages import AIMessage
from pydantic import BaseModel, Field

EVIDENCE_ID = re.compile(r"E\d+")


class Statement(BaseModel):
    """One statement of the answer and the evidence it rests on."""

    text: str = Field(description="one sentence in plain clinical English, without citation")
    evidence: list[str] = Field(default_factory=list, description="ids of the evidence it rests on, e.g. E3")


class FinalAnswer(BaseModel):
    """Call this once, when you know enough, to give the answer."""

    statements: list[Statement] = Field(description="the direct answer first")
    choice: str | None = Field(default=None, pattern="^[A-Z]$", description="letter chosen of lettered options, if any")


def text_of(draft: FinalAnswer) -> str:
    """The draft as the text that the check reads: a sentence a statement, its citation before the full stop."""
    sentences = [_sentence(statement) for statement in draft.statements if statement.text.strip()]
    return "\n".join([" ".join(sentences), *([f"ANSWER: {draft.choice}"] if draft.choice else [])]).strip()


def spoken(response: ModelResponse[FinalAnswer]) -> ModelResponse[FinalAnswer]:
    """A reply that gives the draft, as the plain message that any planner could have written; others as they are."""
    draft = response.structured_response
    if not isinstance(draft, FinalAnswer):
        return response
    reply = next(message for message in response.result if isinstance(message, AIMessage))
    kept = {"usage_metadata": reply.usage_metadata, "response_metadata": reply.response_metadata}
    return ModelResponse(result=[AIMessage(content=text_of(draft), id=reply.id, **kept)], structured_response=None)


def _sentence(statement: Statement) -> str:
    ids = [item for item in statement.evidence if EVIDENCE_ID.fullmatch(item)]
    text = " ".join(statement.text.split()).rstrip(".")
    return f"{text} [{', '.join(ids)}]." if ids else f"{text}."


__all__ = ["FinalAnswer", "Statement", "spoken", "text_of"]
