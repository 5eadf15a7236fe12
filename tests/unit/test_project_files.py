"""Files that other programs read: what can be checked of them without those programs."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from app import cli

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
BODY = {"markdown", "input", "textarea", "dropdown", "checkboxes"}
"""Kinds of fields that an issue form may have."""
IMAGES = [ROOT / "deploy" / "Dockerfile", ROOT / ".devcontainer" / "Dockerfile", ROOT / "deploy" / "compose.yaml"]
HOST = re.compile(r"(?:FROM|image:)\s+[\w-]+\.[\w.-]+/")
"""An image whose name begins with a registry's host."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("form", [form for form in FORMS if form.name != "config.yml"], ids=lambda form: form.stem)
def test_issue_form_has_what_forms_need(form: Path) -> None:
    content = read(form)
    assert content["name"] and content["description"]
    assert {item["type"] for item in content["body"]} <= BODY
    named = [item["id"] for item in content["body"] if item["type"] != "markdown"]
    assert len(named) == len(set(named)) >= 2
    assert all(item["attributes"].get("label") for item in content["body"] if item["type"] != "markdown")


def test_hooks_are_local_and_run_what_set_up_installs() -> None:
    repos = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    for hook in repos[0]["hooks"]:
        assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/")


def test_citation_tells_version_and_licence_of_the_project() -> None:
    citation = read(ROOT / "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["authors"] and citation["title"]


def test_commands_of_the_containers_are_hilums() -> None:
    services = read(ROOT / "deploy" / "compose.yaml")["services"]
    commands = [service["command"] for service in services.values() if "command" in service]
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    commands.append(json.loads(re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)[0]))
    known = typer.main.get_command(cli)
    for name, *words in commands:
        options = {option for item in known.commands[name].params for option in item.opts}  # type: ignore[attr-defined]
        assert {word for word in words if word.startswith("--")} <= options, shlex.join([name, *words])
    assert "constraints.txt --editable" in dockerfile, "installed as the Makefile does"


def test_no_image_names_a_host() -> None:
    assert not [path.name for path in IMAGES if HOST.search(path.read_text(encoding="utf-8"))]
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["build"] == {"dockerfile": "Dockerfile"} and "make setup" in container["postCreateCommand"]
