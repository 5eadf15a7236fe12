"""Chat models behind an API, through LangChain's init_chat_model; providers.toml holds what differs between them."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from agent.llm.named import Named
from agent.settings import Settings
from imaging.failures import BadArguments, Unavailable

MAX_RETRIES = 2
"""How often a 429, a lost connection or a 5xx is tried again, with back-off, by the provider's client or by us."""

NO_KEY = "none"
"""Sent as the key to a server of the user's own when no key is set; such servers rarely want one."""


@dataclass(frozen=True)
class Provider:
    """One table of providers.toml.

    Attributes:
        key: environment variable that holds the key; empty where none is wanted.
        extra: extra of ours that installs its package; empty where it is always there or none of ours.
        own_retries: whether its client retries by itself.
        timeout: name of the option for the longest wait, dotted where it lies in another option.
        base_url: where its server is unless the user says otherwise; empty: its package knows.
        options: what else it is made with.
    """

    key: str
    extra: str = ""
    own_retries: bool = True
    timeout: str = ""
    base_url: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@cache
def providers() -> dict[str, Provider]:
    """Provider's name -> its table."""
    text = (resources.files("agent.llm") / "providers.toml").read_text(encoding="utf-8")
    return {name: Provider(**table) for name, table in tomllib.loads(text).items()}


def provider_of(name: str) -> Provider:
    """What is known of a provider; for one that is not in the table, what most of them do."""
    return providers().get(name) or Provider(key=f"{name.upper()}_API_KEY")


def chat_model(named: Named, settings: Settings) -> BaseChatModel:
    """The chat model of that name; its server is not asked.

    Raises:
        Unavailable: its package or key is missing, with the remedy.
        BadArguments: LangChain knows no such provider.
    """
    provider = provider_of(named.provider)
    key = os.environ.get(provider.key, "") if provider.key else ""
    if named.provider in providers() and provider.key and not key and not named.url:
        raise Unavailable(
            f"The planner {named.told!r} needs a key and {provider.key} is not set.",
            f"Set {provider.key}, or use --planner embedded, which needs none.",
        )
    try:
        model = init_chat_model(f"{named.provider}:{named.model}", **_options(named, provider, key, settings))
    except ImportError as error:
        wanted = f"hilum[{provider.extra}]" if provider.extra else f"langchain-{named.provider.replace('_', '-')}"
        raise Unavailable(
            f"The planner {named.told!r} needs a package that is not installed: {error}",
            f"Run pip install '{wanted}', or use --planner embedded.",
        ) from error
    except ValueError as error:
        raise BadArguments(f"The planner {named.told!r} cannot be made: {error}", "Write provider:model.") from error
    if not isinstance(model, BaseChatModel):
        raise BadArguments(f"The planner {named.told!r} is no chat model.", "Write provider:model.")
    return model


def _options(named: Named, provider: Provider, key: str, settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if provider.own_retries:
        options["max_retries"] = MAX_RETRIES
    options |= provider.options
    outer, _, inner = provider.timeout.partition(".")
    if outer:
        options[outer] = {inner: settings.planner_timeout_s} if inner else settings.planner_timeout_s
    if url := named.url or provider.base_url:
        options["base_url"] = url
    if provider.key and (key or named.url):
        options["api_key"] = key or NO_KEY
    return options


__all__ = ["MAX_RETRIES", "NO_KEY", "Provider", "chat_model", "provider_of", "providers"]
