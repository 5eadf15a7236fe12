"""What a planner's server or client raised, as Unavailable with the remedy; whatever the provider calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from agent.llm.named import Named
from agent.llm.providers import MAX_RETRIES, provider_of
from agent.settings import Settings
from imaging.failures import Unavailable

CLIENTS = {
    "anthropic", "google", "groq", "httpx", "langchain_anthropic", "langchain_google_genai", "langchain_groq",
    "langchain_mistralai", "langchain_ollama", "langchain_openai", "ollama", "openai", "requests", "urllib3",
}  # fmt: skip
"""Packages whose exceptions come from a planner's server or the way to it; all others are bugs of ours."""

CLASSES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (ContextOverflowError, "too_long"),
    (ModelRateLimitError, "rate_limited"),
    ((ModelTimeoutError, httpx.TimeoutException), "timeout"),
    ((ModelConnectionError, httpx.TransportError, ConnectionError), "unreachable"),
    ((ModelAuthenticationError, ModelPermissionDeniedError), "refused_key"),
    (ModelNotFoundError, "not_found"),
    ((ModelAPIError, ModelInvalidRequestError), "failed"),
)
"""Exception class -> kind, the first that fits."""

NAMES = {
    "ConnectTimeout": "timeout", "ReadTimeout": "timeout", "Timeout": "timeout", "DeadlineExceeded": "timeout",
    "ConnectionError": "unreachable", "ResourceExhausted": "rate_limited", "Unauthenticated": "refused_key",
}  # fmt: skip
"""Class names of packages that are not imported here -> kind."""

SAYS_REFUSED_KEY = "API key not valid"
"""What Google answers with status 400 for a wrong key."""

STATUSES = {
    401: "refused_key", 403: "refused_key", 404: "not_found", 408: "timeout", 413: "too_long", 429: "rate_limited",
    504: "timeout",
}  # fmt: skip
"""HTTP status -> kind; any other is "failed"."""

PASSING = {"rate_limited", "timeout", "unreachable"}
"""Kinds that may be gone a moment later."""

SERVER_FAULT = range(500, 600)
ERROR_CHARACTERS = 300
"""How much of a server's own words is told."""


def kind_of(error: BaseException) -> str | None:
    """Which failure of a planner an exception is; None: it is none, but a bug."""
    for classes, kind in CLASSES:
        if isinstance(error, classes):
            return kind
    if type(error).__module__.partition(".")[0] not in CLIENTS:
        return None
    if SAYS_REFUSED_KEY in str(error):
        return "refused_key"
    named = next((NAMES[base.__name__] for base in type(error).__mro__ if base.__name__ in NAMES), None)
    return named or STATUSES.get(_status(error), "failed")


def passes(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    return kind_of(error) in PASSING or (kind_of(error) == "failed" and _status(error) in SERVER_FAULT)


@contextmanager
def planner_failures(named: Named, settings: Settings) -> Iterator[None]:
    """A planner that cannot be reached, or refuses us, raises Unavailable with what to do about it."""
    try:
        yield
    except Exception as error:
        kind = kind_of(error)
        if kind is None:
            raise
        message, remedy = _told(kind, named, settings, error)
        instead = "or use --planner embedded, which needs no server."
        raise Unavailable(message, f"{remedy}, {instead}", kind=f"planner_{kind}") from error


def _told(kind: str, named: Named, settings: Settings, error: Exception) -> tuple[str, str]:
    """(what is wrong, what to do)."""
    where = named.url or provider_of(named.provider).base_url or "its provider"
    planner = f"The planner {named.told!r} at {where}"
    key = provider_of(named.provider).key or "the key"
    return {
        "rate_limited": (
            f"{planner} refuses more requests for now (429), also after {MAX_RETRIES} retries.",
            "Wait, raise the quota",
        ),
        "timeout": (
            f"{planner} did not reply within {settings.planner_timeout_s:g} s.",
            "Raise planner_timeout_s (HILUM_PLANNER_TIMEOUT_S)",
        ),
        "unreachable": (
            f"The planner {named.told!r} cannot be reached at {where}.",
            "Start the server or correct its address (HILUM_PLANNER_BASE_URL)",
        ),
        "refused_key": (f"{planner} refused the key.", f"Correct {key}"),
        "not_found": (f"{where} has no model of the name {named.model!r}.", "Choose a model it serves"),
        "too_long": (
            f"{planner} was told more than it can read at once.",
            "Lower max_context_tokens (HILUM_MAX_CONTEXT_TOKENS), begin a new session",
        ),
        "failed": (f"{planner} failed: {str(error)[:ERROR_CHARACTERS]}", "Try again, or another model"),
    }[kind]


def _status(error: BaseException) -> int:
    """HTTP status that an exception carries, 0 for none."""
    found = getattr(error, "status_code", None) or getattr(error, "code", None)
    return found if isinstance(found, int) else int(getattr(found, "value", 0) or 0)


__all__ = ["kind_of", "passes", "planner_failures"]
