"""A tool of another package, found by its entry point, is listed, planned over, run and cited like ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from imaging.phantom import PhantomSpec, make_phantom

PACKAGE = Path(__file__).resolve().parents[1] / "third_party"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for file in PACKAGE.iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    # A .venv made by uv has no pip.
    installer = [sys.executable, "-m", "pip", "install"] if find_spec("pip") else ["uv", "pip", "install"]
    command = [*installer, "--quiet", "--no-deps", "--no-build-isolation", "--target", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.png"
    made = make_phantom(PhantomSpec(seed=5, size=256))
    made.write_png(path)
    return path


def hilum(site: Path, *arguments: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [str(Path(sys.executable).parent / "hilum"), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_installed_tool_is_planned_over_and_cited(site: Path, film: Path) -> None:
    answer: dict[str, Any] = json.loads(hilum(site, "ask", film, "How symmetric is this film?", "--json"))
    [record] = [record for record in answer["evidence"] if record["tool"] == "symmetry"]
    pixels = make_phantom(PhantomSpec(seed=5, size=256)).radiograph.pixels
    assert record["data"]["right"] == pytest.approx(float(pixels[:, :128].mean()), abs=0.01)
    assert record["overlays"][0]["kind"] == "line"
    told = f"a mean grey of {record['data']['left']:.2f}, the right half {record['data']['right']:.2f} [{record['id']}]"
    assert told in answer["text"]
    assert any(record["id"] in claim["evidence"] for claim in answer["claims"])


def test_installed_tool_is_in_doctor(site: Path) -> None:
    assert "symmetry" in hilum(site, "doctor")
