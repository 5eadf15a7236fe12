"""The HTTP API: sessions, films, questions (with server-sent events), evidence, tools, health and metrics.

May import agent and imaging; `serve` runs it, `create` makes the application for whoever mounts or tests it."""

from ui.server.application import create, serve

__all__ = ["create", "serve"]
