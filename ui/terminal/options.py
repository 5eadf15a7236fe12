"""Options that several commands share, the settings they make, and the two consoles. Every import is lazy."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from agent.settings import Settings


class ProfileName(StrEnum):
    """The profiles of agent.settings.Profile, named here so that --help imports nothing."""

    embedded = "embedded"
    standard = "standard"
    full = "full"


PlannerOption = Annotated[str | None, typer.Option("--planner", help="embedded, or provider:model")]
ProfileOption = Annotated[ProfileName | None, typer.Option("--profile", help="which models may be used")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else")]


def settings(planner: str | None = None, profile: ProfileName | None = None, runtime: str | None = None) -> Settings:
    """The settings in force, with what the command line gives over them.

    Raises:
        BadArguments: a value is wrong, wherever it comes from.
    """
    from pydantic import ValidationError

    from agent.settings import Settings
    from imaging.failures import BadArguments

    given: dict[str, Any] = {"planner": planner, "profile": profile and profile.value, "runtime": runtime}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise BadArguments(f"A setting is wrong: {wrong}.", "Run hilum doctor to see where each comes from.") from error


def stdout() -> Console:
    """What is read or piped on."""
    from rich.console import Console

    return Console()


def stderr() -> Console:
    """Progress and warnings."""
    from rich.console import Console

    return Console(stderr=True)
