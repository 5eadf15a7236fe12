"""Agent: the configuration that sessions share."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

from langchain_core.language_models import BaseChatModel

from agent.llm.resolved import resolve
from agent.memory import IN_PROCESS, Memory
from agent.session import Session
from agent.settings import Settings
from models.catalog import Catalog
from models.pool import ModelPool
from tools.contract import Registry
from tools.contract.tool import installed


class Agent:
    """Shared and not changed after it is made: planner, tools and models. Conversations are sessions.

    Attributes:
        settings: the settings in force.
        planners: the chat models that plan, in the order in which they are asked.
        planner_name: what the first of them is called.
        models: the pool that every session's tools use.
        tools: the tools whose models are present; what a planner is told of.
        memory: where sessions are kept.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        planner: str | BaseChatModel | None = None,
        tools: Registry | Iterable[str] | None = None,
        models: ModelPool | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Raises Unavailable, with the remedy, when the planner's package or key is missing.

        Args:
            settings: as read from hilum.toml and the environment when left out.
            planner: in place of settings.planner: "embedded", "provider:model", several with commas, or a LangChain
                chat model.
            tools: a registry, or names of installed tools; all installed ones when left out.
            models: a pool; one made from the settings when left out.
            memory: where sessions are kept; as the settings say when left out, which is in this process alone.
        """
        self.settings = settings or Settings()
        self.models = models or make_pool(self.settings)
        chosen = tools if isinstance(tools, Registry) else _installed(tools)
        self.tools = chosen.ready(self.models)
        self.memory = memory or Memory(self.settings.memory or IN_PROCESS)
        self.planners = resolve(planner or self.settings.planner, self.settings)
        self.planner_name = self.planners[0].named.told

    def prefetch(self) -> list[Future[None]]:
        """Begin to load what a first question may need: the small models of every tool, as far as there is room."""
        tasks = dict.fromkeys(task for item in self.tools for task in item.needs)
        return [self.models.prefetch(task, if_room=True) for task in tasks]

    def session(self, owner: str = "") -> Session:
        """A new conversation with no films.

        Args:
            owner: to whom it belongs, where the memory is shared by several users.
        """
        return Session(self, owner)

    def with_parts(self, planner: BaseChatModel, tools: Registry) -> Agent:
        """This agent with another planner and other tools; models and settings are shared, its memory is its own.

        Args:
            planner: a LangChain chat model.
            tools: all of them; those whose models are absent are left out.
        """
        return Agent(self.settings, planner=planner, tools=tools, models=self.models, memory=Memory())

    def reopen(self, session_id: str, owner: str = "") -> Session:
        """A conversation that the memory holds, with its films, evidence and turns.

        Raises:
            BadArguments: that owner has no session of that id.
        """
        return Session(self, owner, reopen=session_id)


def make_pool(settings: Settings) -> ModelPool:
    """The pool that the settings describe; loads nothing yet."""
    return ModelPool(
        Catalog.read(audit=settings.audit),
        device=settings.device,
        model_dir=settings.model_dir,
        profile=settings.profile,
        choices=settings.models,
        cache_bytes=int(settings.cache_mb * 1_000_000),
        cache_dir=settings.cache_dir,
        cache_disk_bytes=int(settings.cache_disk_mb * 1_000_000),
        numerics=settings.numerics,
        memory_budget_mb=settings.memory_budget_mb,
        max_batch=settings.max_batch,
        max_wait_ms=settings.max_wait_ms,
        timeout_s=settings.model_timeout_s,
        trust_remote_code=settings.trust_remote_code,
        runtime=settings.runtime,
        ray_config=settings.ray_config,
    )


def _installed(names: Iterable[str] | None) -> Registry:
    return installed() if names is None else installed().select(names)
