"""Shared by the browser's journeys: one chromium, a film, and a window that closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from windows import CHROMIUM, Window

from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from imaging.phantom.files import dataset


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser; the test skips where there is none.

    Of one module: while playwright runs, its event loop does, and no other test of the process could run one.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).is_file():
        pytest.skip("chromium is not installed (Debian package chromium)")
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def window(chromium: Any, address: str) -> Iterator[Window]:
    """A window on the module's server (its fixture `address`)."""
    opened = Window(chromium, address)
    yield opened
    opened.close()


@pytest.fixture
def windows(chromium: Any, address: str) -> Iterator[Callable[..., Window]]:
    """Makes further windows; all are closed."""
    made: list[Window] = []

    def make(**look: Any) -> Window:
        made.append(Window(chromium, address, **look))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def visits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two films of one synthetic patient, a year apart: old.dcm, new.dcm; 256 x 256 pixels."""
    folder = tmp_path_factory.mktemp("visits")
    paths = [folder / "old.dcm", folder / "new.dcm"]
    for year, path in zip((2020, 2021), paths, strict=True):
        phantom = make_phantom(PhantomSpec(seed=year, size=256, findings=(parse_finding("effusion:left:600ml"),)))
        visit = dataset(phantom)
        visit.PatientID = "1"
        visit.StudyDate = visit.SeriesDate = visit.ContentDate = visit.AcquisitionDate = f"{year}0105"
        visit.save_as(path, enforce_file_format=True)
    return paths


@pytest.fixture(scope="session")
def film(visits: list[Path]) -> Path:
    """The newer of them."""
    return visits[1]
