"""Planners from the settings: the embedded one, a model in this process, or any that LangChain can reach."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel

from agent.llm.chain import Planner
from agent.llm.named import EMBEDDED, GIVEN, TRANSFORMERS, Named, parsed
from agent.llm.providers import chat_model
from agent.planner import EmbeddedPlanner
from agent.settings import Settings


def resolve(planner: str | BaseChatModel, settings: Settings) -> tuple[Planner, ...]:
    """The planners in the order in which they are asked.

    Args:
        planner: names as settings.planner has them, or a LangChain chat model.
        settings: keys, addresses and waits.

    Raises:
        Unavailable: a package or key is missing, with the remedy.
        BadArguments: a name is none.
    """
    if isinstance(planner, EmbeddedPlanner):
        return (Planner(Named(EMBEDDED), planner),)
    if isinstance(planner, BaseChatModel):
        return (_made(Named(GIVEN, _own_name(planner)), planner, settings),)
    return tuple(_made(named, None, settings) for named in parsed(planner, settings.planner_base_url))


def _made(named: Named, model: BaseChatModel | None, settings: Settings) -> Planner:
    if named.provider == EMBEDDED:
        return Planner(named, EmbeddedPlanner())
    if model is None and named.provider == TRANSFORMERS:
        from agent.llm.in_process import TransformersChat

        model = TransformersChat.read(named.model, settings.device)
    model = model or chat_model(named, settings)
    facts = model.profile or {}
    sees = settings.planner_sees if settings.planner_sees is not None else bool(facts.get("image_inputs"))
    reads = getattr(model, "num_ctx", None) or facts.get("max_input_tokens")  # what Ollama is told to read
    return Planner(named, model, sees=sees, reads_tokens=reads)


def _own_name(model: BaseChatModel) -> str:
    return str(getattr(model, "model_name", "") or getattr(model, "model", "") or model._llm_type)


__all__ = ["resolve"]
