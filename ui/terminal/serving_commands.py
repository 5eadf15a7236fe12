"""`hilum chat`, `serve`, `mcp` and `watch`: the commands that wait for somebody. Only parses; every import is lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.terminal.options import PlannerOption, ProfileOption
from ui.terminal.options import settings as settings_of
from ui.terminal.pacs_commands import AddressOption, LoginOption, PacsLoginOption, TitleOption

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
    users: Annotated[
        Path | None, typer.Option(help="file of name:bcrypt lines as htpasswd -B writes them; each sees their own")
    ] = None,
    user_header: Annotated[
        str, typer.Option(help="header by which a reverse proxy names its user, e.g. X-Forwarded-User")
    ] = "",
    proxy: Annotated[
        list[str] | None, typer.Option(help="address or network of that proxy; repeatable; others are refused")
    ] = None,
    pacs: Annotated[
        list[str] | None,
        typer.Option(
            help="PACS that every user of the chat may browse and send signed reports to; address as of hilum pacs; "
            "repeatable: then HILUM_PACS_LOGIN holds a login for each, with spaces between, - for none"
        ),
    ] = None,
    pacs_login: PacsLoginOption = "",
    title: TitleOption = "HILUM",
    planner: PlannerOption = None,
    profile: ProfileOption = None,
) -> None:
    """Open the chat in the browser."""
    from agent import Agent
    from ui.chat import launch
    from ui.chat.login import login_of, proxied
    from ui.terminal.pacs import all_connected
    from ui.terminal.sessions import kept_memory

    named_by = proxied(user_header, proxy or []) if user_header else None
    auth = login_of(login, users, named_by is not None)
    reached = all_connected(pacs or [], pacs_login, title)
    settings = settings_of(planner=planner, profile=profile)
    agent = Agent(settings, memory=kept_memory(settings))
    agent.prefetch()
    launch(agent, settings, host=host, port=port, auth=auth, named_by=named_by, pacs=reached)


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


@commands.command()
def watch(
    pacs: AddressOption,
    listen: Annotated[str, typer.Option(help="host:port to receive films on by C-STORE, e.g. 127.0.0.1:11112")] = "",
    callers: Annotated[
        list[str] | None, typer.Option("--from", help="AE title that may send; repeatable; else anybody")
    ] = None,
    poll: Annotated[float | None, typer.Option(min=1, help="ask the PACS for new films every so many seconds")] = None,
    back_days: Annotated[int, typer.Option(min=0, help="days that the first poll looks back")] = 1,
    question: Annotated[str, typer.Option("--ask", help="the plan: what is asked of every film; else a report")] = "",
    write: Annotated[str, typer.Option(help="what is sent back, with commas: sr, seg, ko, sc")] = "sr,seg",
    keep: Annotated[bool, typer.Option("--keep", help="keep each reading as a session, for a reader to sign")] = False,
    queue: Annotated[Path | None, typer.Option(help="folder of the queue; else in the state folder")] = None,
    once: Annotated[bool, typer.Option("--once", help="do what is waiting, then end")] = False,
    again: Annotated[bool, typer.Option("--again", help="try films again that were given up")] = False,
    status: Annotated[bool, typer.Option("--status", help="print the queue as JSON and do nothing")] = False,
    login: LoginOption = "",
    title: TitleOption = "HILUM",
    planner: PlannerOption = None,
    profile: ProfileOption = None,
) -> None:
    """Read every chest film that arrives and send the results to the PACS; see docs/pacs.md."""
    from ui.terminal.pacs import Inlet, show_queue, watch_pacs
    from ui.watch.work import QUESTION, Plan

    if status:
        show_queue(queue)
        return
    plan = Plan.of(question or QUESTION, [name for name in write.replace(" ", "").split(",") if name], keep)
    inlet = Inlet(listen, tuple(callers or ()), poll, back_days)
    settings = settings_of(planner=planner, profile=profile)
    watch_pacs(settings, (pacs, login, title), inlet, plan, queue, once, again)
