"""A planner's name as the user writes it: "provider:model", with "@URL" for a server of their own; several in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePath
from urllib.parse import urlsplit

from imaging.failures import BadArguments

EMBEDDED = "embedded"
"""Name of the planner that needs no key, no weights and no network."""
TRANSFORMERS = "transformers"
"""Provider of the models that run in this process, from a folder on this machine."""
GIVEN = "given"
"""Provider of a chat model that the caller made, in Python."""


@dataclass(frozen=True)
class Named:
    """One planner as named.

    Attributes:
        provider: "openai", "anthropic" ...; EMBEDDED and TRANSFORMERS reach no server.
        model: the provider's name for the model; a folder for TRANSFORMERS.
        url: server in place of the provider's, or empty.
    """

    provider: str
    model: str = ""
    url: str = ""

    @property
    def told(self) -> str:
        """The name that answers and logs carry: no address, no login, no path."""
        if self.provider == EMBEDDED:
            return EMBEDDED
        if self.provider == GIVEN:
            return self.model
        model = PurePath(self.model).name if self.provider == TRANSFORMERS else self.model
        return f"{self.provider}:{model}"

    @property
    def leaves_machine(self) -> bool:
        """Whether what it is told goes to another machine."""
        if self.provider in (EMBEDDED, TRANSFORMERS):
            return False
        if self.provider == "ollama" and not self.url:
            return False
        return not is_loopback(urlsplit(self.url).hostname or "")

    @property
    def host(self) -> str:
        """Where it goes, in words: the server's host, or the provider and model."""
        return urlsplit(self.url).hostname or self.told


def parsed(names: str, first_url: str | None = None) -> list[Named]:
    """The planners of "openai:gpt-5, ollama:qwen3@http://host:11434, embedded", in order.

    Args:
        names: separated by commas.
        first_url: settings.planner_base_url: server of the first one that names none of its own.

    Raises:
        BadArguments: a name is neither "embedded" nor provider:model.
    """
    found = [_parsed(name.strip()) for name in names.split(",") if name.strip()]
    if not found:
        raise BadArguments("No planner is named.", "Write provider:model, e.g. openai:gpt-5, or embedded.")
    first = found[0]
    if first_url and first.provider not in (EMBEDDED, TRANSFORMERS) and not first.url:
        found[0] = Named(first.provider, first.model, first_url)
    return found


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses, and for nothing that merely resolves to one."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _parsed(name: str) -> Named:
    if name == EMBEDDED:
        return Named(EMBEDDED)
    provider, _, rest = name.partition(":")
    model, _, url = re.sub(r"@(?=https?://)", "\0", rest).partition("\0")
    if not model:
        raise BadArguments(
            f"The planner {name!r} is neither 'embedded' nor a provider and a model.",
            "Write provider:model, e.g. openai:gpt-5 or ollama:qwen3.",
        )
    return Named(provider, model, url)


__all__ = ["EMBEDDED", "GIVEN", "TRANSFORMERS", "Named", "is_loopback", "parsed"]
