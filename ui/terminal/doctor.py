"""`hilum doctor`: what is here, what is not and why, and which settings are in force."""

from __future__ import annotations

import dataclasses
import platform
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

from agent.llm.resolved import resolve
from agent.settings import Settings
from imaging.failures import HilumFailure, Unavailable
from models.device import device_facts
from models.outputs import Task
from models.pool import ModelPool
from tools.contract import Registry
from tools.contract.tool import installed

PACKAGES = (
    "langchain",
    "langgraph",
    "torch",
    "transformers",
    "torchxrayvision",
    "pydicom",
    "gradio",
    "faiss-cpu",
    "inspect-ai",
)
"""The libraries whose versions a bug report needs."""


def examine(settings: Settings, models: ModelPool) -> dict[str, Any]:
    """Everything the doctor knows, JSON-ready; loads no weights and touches no network."""
    tools = installed()
    return {
        "hilum": version("hilum"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "device": device_facts(settings.device),
        "computes": {
            **{place: settings.numerics.autocast(kind) for place, kind in (("processor", "cpu"), ("gpu", "cuda"))},
            "compiled": settings.compile,
        },
        "planner": _planner(settings),
        "models": [dataclasses.asdict(status) for status in models.status()],
        "tools": [_tool_status(name, tools, models) for name in (item.name for item in tools)],
        "settings": {
            name: {"value": value, "origin": settings.origins()[name]}
            for name, value in settings.model_dump(mode="json").items()
        },
    }


def _planner(settings: Settings) -> dict[str, Any]:
    """Whether the planner can be made: its package and key are here. Its server is not asked."""
    name = settings.told()["planner"]
    try:
        resolve(settings.planner, settings)
    except HilumFailure as failure:
        return {"name": name, "ready": False, "reason": failure.message, "remedy": failure.hint}
    return {"name": name, "ready": True, "reason": "", "remedy": ""}


def _tool_status(name: str, tools: Registry, models: ModelPool) -> dict[str, Any]:
    missing = tools.missing(tools.get(name), models)
    reason = f"no model present for: {', '.join(missing)}" if missing else ""
    remedy = " ".join(dict.fromkeys(_remedy(task, models) for task in missing))
    return {"name": name, "title": tools.get(name).title, "ready": not missing, "reason": reason, "remedy": remedy}


def _remedy(task: Task, models: ModelPool) -> str:
    """What to do so that some model serves a task."""
    try:
        models.resolve(task)
    except Unavailable as failure:
        return failure.hint
    return ""


def print_report(report: dict[str, Any], console: Console) -> None:
    """The doctor's report as tables."""
    device = report["device"]
    console.print(f"Hilum {report['hilum']} · Python {report['python']} · {report['platform']}", markup=False)
    console.print("Device: " + ", ".join(f"{key} {value}" for key, value in device.items()), markup=False)
    computes = ", ".join(f"{place} {value}" for place, value in report["computes"].items())
    console.print(f"Networks compute in: {computes} (cpu_dtype, gpu_dtype, compile)", markup=False)
    planner = report["planner"]
    state = "ready" if planner["ready"] else f"not ready: {planner['reason']} {planner['remedy']}"
    console.print(f"Planner: {planner['name']} — {state}", markup=False)
    models = sorted(report["models"], key=lambda model: not model["present"])
    console.print(_table("Models", ("model", "tasks", "state", "profile"), [_model_row(model) for model in models]))
    for model in models:
        licence = f"{model['id']}: licence {model['licence']}."
        if not model["present"]:
            licence += f" Absent: {model['reason']}. {model['remedy']}"
        console.print(f"- {licence}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        _table(
            "Tools",
            ("tool", "state"),
            [
                (tool["name"], "ready" if tool["ready"] else f"{tool['reason']}. {tool['remedy']}")
                for tool in report["tools"]
            ],
        )
    )
    console.print(
        _table(
            "Settings",
            ("setting", "value", "from"),
            [(name, str(item["value"]), item["origin"]) for name, item in report["settings"].items()],
        )
    )


def _model_row(status: dict[str, Any]) -> tuple[str, ...]:
    state = "present" if status["present"] else "absent"
    chosen = f"{state}, answers {', '.join(status['first_for'])}" if status["first_for"] else state
    return (status["id"], ", ".join(status["tasks"]), chosen, status["profile"])


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
