"""`hilum chat`, `serve` and `mcp`: the commands that wait for somebody. Only parses; every import is lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.terminal.options import PlannerOption, ProfileOption
from ui.terminal.options import settings as settings_of

commands = typer.Typer()

MCP_PORT = 8765
"""Where `hilum mcp --http` listens: http://127.0.0.1:8765/mcp."""


@commands.command()
def chat(
    host: Annotated[str, typer.Option(help="address to listen on; beyond loopback a login is required")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 7860,
    login: Annotated[
        str | None, typer.Option(envvar="HILUM_CHAT_LOGIN", help="user:password, best by the variable")
    ] = None,
    planner: PlannerOption = None,
    profile: ProfileOption = None,
) -> None:
    """Open the chat in the browser."""
    from agent import Agent
    from imaging.failures import BadArguments
    from ui.chat import launch

    user, _, password = (login or "").partition(":")
    if login is not None and not (user and password):
        raise BadArguments("The login is not of the form user:password.", "Set HILUM_CHAT_LOGIN=user:password.")
    settings = settings_of(planner=planner, profile=profile)
    agent = Agent(settings)
    agent.prefetch()
    launch(agent, settings, host=host, port=port, auth=(user, password) if login else None)


@commands.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on; beyond loopback tokens are required")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    tokens: Annotated[
        str, typer.Option(envvar="HILUM_API_TOKENS", help="user:token,user:token, best by the variable")
    ] = "",
    planner: PlannerOption = None,
    profile: ProfileOption = None,
) -> None:
    """Serve the HTTP API; its page is /docs."""
    from agent import Agent
    from ui.server import serve as run
    from ui.terminal.sessions import kept_memory

    settings = settings_of(planner=planner, profile=profile)
    run(Agent(settings, memory=kept_memory(settings)), host, port, tokens)


@commands.command()
def mcp(
    films: Annotated[list[Path] | None, typer.Argument(help="films that every conversation begins with")] = None,
    http: Annotated[bool, typer.Option("--http", help="streamable HTTP under /mcp of `hilum serve` instead")] = False,
    planner: PlannerOption = None,
    profile: ProfileOption = None,
) -> None:
    """Serve the tools and `ask` to other agents over MCP: stdio, or with --http streamable HTTP."""
    import anyio

    from agent import Agent

    if http:
        from ui.server import serve as run

        run(Agent(settings_of(planner=planner, profile=profile)), "127.0.0.1", MCP_PORT)
        return
    from ui.server.mcp import run_stdio

    anyio.run(run_stdio, Agent(settings_of(planner=planner, profile=profile)), films or [])
