"""A language model as a judge of reports: asked once per question, once more where its reply cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from agent.llm.failures import planner_failures
from agent.llm.named import Named
from agent.llm.resolved import resolve
from evals.report_metrics.metric import Supplied
from imaging.failures import BadArguments, Unavailable
from prompts import prompt

T = TypeVar("T")
TRIES = 2
"""Replies that are read before a question counts as unparsed."""


@dataclass(frozen=True)
class Judge:
    """The language model, and how it is told to users."""

    model: BaseChatModel
    named: Named
    supplied: Supplied

    @property
    def note(self) -> str:
        """Where the reports go."""
        left = f"; the reports are sent to {self.named.host}" if self.named.leaves_machine else ""
        return f"judged by {self.named.told}{left}"

    def ask(self, task: str, told: dict[str, Any], read: Callable[[str], T | None]) -> T | None:
        """What is read from the judge's reply; None where two replies could not be read.

        Args:
            task: prompt of prompts/judges that says what to do.
            told: the reports, given as JSON: they are data, whatever they say.
            read: a reply -> what it says, None where it cannot be read.

        Raises:
            Unavailable: the model does not answer.
        """
        messages = [SystemMessage(prompt(f"judges/{task}")), HumanMessage(json.dumps(told, ensure_ascii=False))]
        for _ in range(TRIES):
            with planner_failures(self.named, self.supplied.settings):
                reply = self.model.invoke(messages)
            found = read(str(reply.text))
            if found is not None:
                return found
        return None


def judge(supplied: Supplied, metric: str, model: BaseChatModel | None = None) -> Judge:
    """The judge that is supplied.

    Args:
        supplied: what there is.
        metric: that needs it, for the message.
        model: a chat model in place of the one named, in Python.

    Raises:
        Unavailable: none is supplied, or its package or key is missing.
        BadArguments: the embedded planner is named, which writes no judgement.
    """
    name = supplied.values.get("judge", "")
    if not name and model is None:
        raise Unavailable(
            f"{metric} needs a language model as judge, and none was supplied.",
            "Name one as --planner does: --supply judge=provider:model, or judge=transformers:FOLDER.",
        )
    [made, *others] = resolve(model or name, supplied.settings)
    if made.is_embedded or others:
        raise BadArguments(f"{name!r} is no judge.", "Name one language model; the embedded planner judges nothing.")
    return Judge(made.model, made.named, supplied)
