"""Tubes, lines and what was left behind in a drafted report, on the phantom's exact outlines."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from stub_pool import context_of, phantom, sights_of

from imaging.phantom import PhantomFilm
from imaging.radiograph import View
from models.outputs import Masks, Task
from tools.contract import Status
from tools.report import ReportData, report

OUTLINED = ("left_lung", "right_lung", "heart", "trachea")
NEEDLE = "retained_needle"
SAID = {
    "en": ("endotracheal tube", "retained needle"),
    "es": ("tubo endotraqueal", "aguja retenida"),
    "fr": ("sonde d'intubation", "aiguille oubliée"),
    "de": ("Endotrachealtubus", "zurückgelassene Nadel"),
    "da": ("endotrakealtube", "efterladt nål"),
}
"""What each language calls the two (the ontology's names)."""


@cache
def film_with(*findings: str) -> PhantomFilm:
    """A bedside phantom."""
    return phantom(3, *findings, view=View.AP)


def drafted(film: PhantomFilm, *codes: str, **arguments: Any) -> ReportData:
    """The draft of a film whose locator sees exactly these of its devices; without codes, no model looks for any."""
    drawn = {code: film.masks[next(name for name in film.boxes if name.startswith(code))] for code in codes}
    stack = np.stack([film.masks[code] for code in OUTLINED])
    outlines = Masks(OUTLINED, stack, np.ones(len(OUTLINED), dtype=np.float32))
    context, image_id, pool = context_of(film, masks=outlines, sights=sights_of(film, drawn))
    if not codes:
        pool.outputs = {task: output for task, output in pool.outputs.items() if task is not Task.DETECT}
    result = report.run(context, {"image_id": image_id, **arguments})
    assert isinstance(result.data, ReportData), result.failure
    return result.data


@pytest.mark.parametrize("language", SAID)
def test_devices_are_told_and_what_cannot_wait_comes_first(language: str) -> None:
    """Expected: the phantom's distance of the tip above the carina, in mm of the film; 12 mm is too low."""
    film = film_with("ett:12mm", f"{NEEDLE}:left:40mm")
    data = drafted(film, "ett", NEEDLE, language=language)
    lines = {sentence.key: sentence for sentence in data.section("Findings") if "detect_objects" in sentence.basis}
    assert list(lines) == ["devices_present", "tip", "devices_absent"]
    assert all(name in lines["devices_present"].text for name in SAID[language])
    assert "detect_objects" in data.used and lines["devices_absent"].status is Status.ABSENT
    first, second = data.section("Impression")[:2]
    assert (first.key, first.finding, len(first.places)) == ("left_behind", NEEDLE, 1)
    assert (second.key, second.finding) == ("tip_wrong", "ett")
    distance = int(next(word for word in second.text.split() if word.isdigit()))
    assert distance == pytest.approx(film.measures["ett_tip_to_carina_mm"], abs=6)
    assert f"{distance} mm" in lines["tip"].text


def test_a_tube_in_its_place_is_told_among_the_findings_only() -> None:
    data = drafted(film_with("ett:50mm"), "ett", style="prose")
    assert not any("detect_objects" in sentence.basis for sentence in data.section("Impression"))
    assert "The detector shows: endotracheal tube." in data.text and "mm above the carina" in data.text


def test_without_a_model_that_looks_for_devices_none_is_denied() -> None:
    data = drafted(film_with("ett:50mm"))
    assert "endotracheal" not in data.text and "detect_objects" not in data.used
