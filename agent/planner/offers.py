"""The tools offered to the embedded planner: what arguments they take and by which words people ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from langchain_core.tools import StructuredTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from agent.mentions import longest

ASKED_BY = "hilum_asked_by"
"""Key of a LangChain tool's metadata, and of what is bound to the planner, that holds Tool.asked_by."""

TOOLS_KEPT = 256
"""Tools whose format is kept."""

ASK = "ask"
"""First word of a phrase by which a tool is addressed."""

FILM_ARGUMENTS = {"image_id", "image_ids"}
"""Arguments that make a tool one that reads films."""


@dataclass(frozen=True, eq=False)
class Offer:
    """One tool that may be called; equal offers are one object (`offers`), so that a reading is found by them at once.

    Attributes:
        name: what to call.
        arguments, required: names of all its arguments, and of those that it cannot do without.
        asked_by: phrases by which people ask for it; see Tool.asked_by.
    """

    name: str
    arguments: frozenset[str]
    required: frozenset[str]
    asked_by: tuple[str, ...] = ()

    @property
    def reads_films(self) -> bool:
        """Whether it needs a film to be called."""
        return bool(self.required & FILM_ARGUMENTS)

    @property
    def takes_films(self) -> bool:
        """Whether it can be given a film at all."""
        return bool(self.arguments & FILM_ARGUMENTS)


Offers = Mapping[str, Offer]
"""Tools by name."""


def bound(item: Any) -> dict[str, Any]:
    """One tool as it is bound to the embedded planner: OpenAI's format, and the phrases beside it."""
    if not isinstance(item, StructuredTool) or not isinstance(item.args_schema, type):
        return {**convert_to_openai_tool(item), ASKED_BY: []}
    phrases = (item.metadata or {}).get(ASKED_BY, [])
    return {**_format(item.name, item.description, item.args_schema), ASKED_BY: phrases}


@lru_cache(maxsize=TOOLS_KEPT)
def _format(name: str, description: str, arguments: type[BaseModel]) -> dict[str, Any]:
    """OpenAI's format of a tool, written once: it takes longer than planning, and every reply binds all tools again."""
    return convert_to_openai_tool(StructuredTool(name=name, description=description, args_schema=arguments))


def offers(tools: Iterable[Mapping[str, Any]]) -> Offers:
    """What was bound, as offers by name."""
    made = {}
    for item in tools:
        function = item["function"]
        schema = function.get("parameters", {})
        made[function["name"]] = _offer(
            function["name"],
            frozenset(schema.get("properties", {})),
            frozenset(schema.get("required", [])),
            tuple(item.get(ASKED_BY, ())),
        )
    return made


@lru_cache(maxsize=TOOLS_KEPT)
def _offer(name: str, arguments: frozenset[str], required: frozenset[str], asked_by: tuple[str, ...]) -> Offer:
    return Offer(name, arguments, required, asked_by)


def asked_for(words: list[str], tools: Offers) -> tuple[str, int]:
    """The tool whose longest phrase stands in the words, and that phrase's length in words; ("", 0) if none does.

    Figures may stand within a phrase ("show me 5 similar films").
    """
    plain = [word for word in words if not word.isdigit()]
    lines = [words] if len(plain) == len(words) else [words, plain]
    found = [(max(longest(line, offer.asked_by) for line in lines), name) for name, offer in tools.items()]
    length, name = max(found, key=lambda item: item[0], default=(0, ""))
    return (name, length) if length else ("", 0)


def addressed(words: list[str], tools: Offers) -> str:
    """The tool that a message tells us to ask ("ask the vision model ..."), whatever it is to be asked; "" for none."""
    if words[:1] != [ASK]:
        return ""
    orders = [(phrase.split(), name) for name, offer in tools.items() for phrase in offer.asked_by]
    found = [(len(order), name) for order, name in orders if words[: len(order)] == order]
    return max(found, default=(0, ""))[1]


__all__ = ["ASKED_BY", "Offer", "Offers", "addressed", "asked_for", "bound", "offers"]
