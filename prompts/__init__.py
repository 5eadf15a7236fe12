"""Every word an LLM is told, as Markdown files; this module only reads them.

Imports nothing of Hilum."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from string import Template


@cache
def _read(name: str) -> str:
    return (resources.files("prompts") / name).read_text(encoding="utf-8").strip()


def tool_prompt(name: str) -> str:
    """What the planner is told of one tool: prompts/tools/NAME.md. FileNotFoundError if there is none."""
    return _read(f"tools/{name}.md")


def prompt_hashes() -> dict[str, str]:
    """File -> sha256 of every prompt, for records that must say what the planner was told."""
    root = resources.files("prompts")
    names = [
        "system.md",
        *(f"{folder}/{file.name}" for folder in ("tools", "models", "judges") for file in (root / folder).iterdir()),
    ]
    return {
        name: hashlib.sha256(_read(name).encode()).hexdigest()[:16] for name in sorted(names) if name.endswith(".md")
    }


def prompt(name: str, **values: str) -> str:
    """prompts/NAME.md with its ${variables} filled; an undefined variable is a KeyError, never left standing."""
    return Template(_read(f"{name}.md")).substitute(values)
