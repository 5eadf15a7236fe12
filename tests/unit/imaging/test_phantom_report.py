"""Facts and reference report of a phantom film, against what was asked of the phantom."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imaging.phantom import FINDINGS, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.facts import zones_of
from imaging.phantom.report import fault_words, name_of, sentence, words
from imaging.radiograph import View

ASKED = ("effusion:left:400ml", "nodule:right:upper:20mm", "edema:0.9", "ett:40mm", "central_line:right")
ONTOLOGY = Path(__file__).parents[3] / "tools" / "knowledge" / "findings.toml"


@pytest.fixture(scope="module")
def film() -> PhantomFilm:
    findings = tuple(parse_finding(text) for text in ASKED)
    return make_phantom(
        PhantomSpec(
            seed=2, size=160, view=View.AP, sex="F", age_years=61, rotation_deg=-8.0, exposure_stops=1.5,
            processing="digital", date=dt.date(2026, 1, 5), findings=findings,
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def normal() -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=2, size=96, rotation_deg=0.0))


def section(text: str, start: str) -> str:
    """The report's line that begins so."""
    return next(line for line in text.splitlines() if line.startswith(start))


def test_facts_are_json_and_say_what_was_asked(film: PhantomFilm) -> None:
    facts = json.loads(json.dumps(film.facts(), allow_nan=False))
    assert facts["synthetic"] is True and "SYNTHETIC" in facts["note"]
    assert (facts["view"], facts["date"], facts["positioning"]["position"]) == ("AP", "2026-01-05", "supine")
    assert facts["patient"]["sex"] == "F" and facts["patient"]["age_years"] == 61
    assert facts["exposure"]["deviation_index"] == 4.52  # 15 log10(2)
    found = {(f["code"], f["side"], f["parameters"].get("device")): f for f in facts["findings"]}
    assert set(found) == {
        ("effusion", "left", None), ("nodule", "right", None), ("edema", "left", None), ("edema", "right", None),
        ("support_devices", None, "ett"), ("support_devices", "right", "central_line"),
    }  # fmt: skip
    nodule = found["nodule", "right", None]
    assert nodule["zones"] == ["upper"] and nodule["box"] == list(film.boxes["nodule_right"])
    pixel = film.scene.geometry.pixel_mm
    assert nodule["area_mm2"] == pytest.approx(film.masks["nodule_right"].sum() * pixel**2, abs=0.1)
    assert not {"effusion", "nodule", "edema", "ett", "central_line"} & set(facts["absent"])
    assert {"pneumothorax", "mass", "pacemaker", "chest_drain"} <= set(facts["absent"])
    assert facts["units"]["cardiothoracic_ratio"] == "1" and facts["units"]["heart_width_mm"] == "mm"
    assert facts["units"].keys() == facts["measures"].keys()
    assert [(f["code"], f["value"]) for f in facts["faults"]] == [("rotation", -8.0), ("overexposed", 1.5)]


def test_report_has_three_sections_with_every_finding_and_no_other(film: PhantomFilm) -> None:
    text = film.report()
    assert text.startswith("SYNTHETIC")
    assert [line for line in text.splitlines() if line in ("Technique", "Findings", "Impression")] == [
        "Technique", "Findings", "Impression"
    ]  # fmt: skip
    technique = section(text, "Anteroposterior")
    for part in (
        "woman of 61 years",
        "5 January 2026",
        "supine",
        "rotated by 8°, right side",
        "overexposed (stops: 1.5)",
    ):
        assert part in technique
    left, right = section(text, "Left lung"), section(text, "Right lung")
    assert "Pleural effusion, 400 ml." in left and "No pneumothorax, consolidation, nodule" in left
    assert re.search(r"Nodule in the (upper zone|\w+ lobe \(upper zone\)), 20 mm in diameter\.", right)
    assert "No pleural effusion, pneumothorax" in right
    assert "Marked pulmonary edema" in left and "Marked pulmonary edema" in right
    devices = section(text, "Devices")
    assert "Endotracheal tube, tip 40 mm above the carina." in devices
    assert "Right central venous line, tip in the superior vena cava." in devices
    assert f"ratio {film.measures['cardiothoracic_ratio']:.2f}" in section(text, "Heart")
    impression = text.split("Impression\n")[1]
    assert "1. Left pleural effusion." in impression and "Bilateral pulmonary edema." in impression
    assert "Limited film: patient rotated by 8°" in impression


def test_a_normal_film_is_reported_normal(normal: PhantomFilm) -> None:
    text = normal.report()
    assert "1. No abnormality." in text and "Limited film" not in text and "Devices and foreign bodies: None." in text
    assert normal.measures["cardiothoracic_ratio"] <= 0.5 and "Heart not enlarged" in text
    assert set(normal.facts()["absent"]) == set(FINDINGS)
    for code in FINDINGS:
        known = words()["findings"][code]
        if known.get("where", "lung") == "lung":
            assert text.count(known["name"]) == 2  # ruled out once on each side


def test_what_the_film_does_not_show_is_not_reported(normal: PhantomFilm) -> None:
    entry = {
        "code": "nodule", "side": "left", "status": "present", "mask": "left_lung", "visible": False,
        "parameters": {"diameter_mm": 12.0},
    }  # fmt: skip
    hidden = replace(normal, findings=(entry,))
    assert "1. No abnormality." in hidden.report()
    assert "nodule" not in section(hidden.report(), "Left lung")  # neither there nor ruled out
    assert hidden.facts()["findings"][0]["visible"] is False and "nodule" not in hidden.facts()["absent"]


def test_codes_and_parameters_the_words_do_not_know_are_spelled_out(normal: PhantomFilm) -> None:
    parameters = {"length_mm": 12.4, "leak_ml": 30.0, "form": "star_shaped", "open": True, "path_mm": [1.0, 2.0]}
    entry = {"code": "new_thing", "side": "right", "mask": "right_lung", "visible": True, "parameters": parameters}
    assert name_of(entry) == "new thing"
    said = sentence(normal, entry)
    assert said == "new thing throughout the lung, 12 mm long, leak 30 ml, form: star shaped, open."


def test_a_lobe_is_named_with_the_zone_where_both_are_known(normal: PhantomFilm) -> None:
    entry = {"code": "nodule", "side": "right", "mask": "right_clavicle", "parameters": {"lobe": "upper_lobe"}}
    assert sentence(normal, entry) == "nodule in the upper lobe (upper zone)."
    edema = {**entry, "code": "edema"}
    assert sentence(normal, edema) == "pulmonary edema in the upper lobe."


def test_tip_below_the_carina_is_said(normal: PhantomFilm) -> None:
    entry = {
        "code": "support_devices", "side": None, "mask": "trachea", "visible": True,
        "parameters": {"device": "ett", "tip_to_carina_mm": -12.0},
    }  # fmt: skip
    assert sentence(normal, entry) == "endotracheal tube, tip 12 mm below the carina."


def test_zones_are_thirds_of_the_lungs_height() -> None:
    mask = np.zeros((90, 10), dtype=bool)
    mask[30:60] = True
    assert zones_of(mask, 0, 90) == ["middle"]
    mask[60:70] = True  # a quarter of it now lies lower
    assert zones_of(mask, 0, 90) == ["middle", "lower"]


def test_every_fault_has_words(normal: PhantomFilm) -> None:
    spec = replace(
        normal.spec, rotation_deg=9.0, exposure_stops=-1.0, inspiration=0.0, turned_deg=180, mirrored=True,
        inverted=True,
    )  # fmt: skip
    measures = {**normal.measures, "left_lung_outside": 0.25}
    named = ({"kind": "patient", "text": "X", "box": (0, 0, 1, 1), "identifying": True},)
    faulty = replace(normal, spec=spec, measures=measures, annotations=named)
    said = fault_words(faulty)
    assert fault_words(faulty, hindering=True) == said[:-1]
    assert said == [
        "patient rotated by 9°, left side backwards", "underexposed (stops: 1)",
        "25% of the left lung outside the field", "poor inspiration", "picture turned clockwise by 180°",
        "picture mirrored left to right", "grey scale inverted",
        "patient's name burned in",
    ]  # fmt: skip


def test_names_are_the_ontologys() -> None:
    ontology = tomllib.loads(ONTOLOGY.read_text(encoding="utf-8"))
    named = words()["findings"]
    assert set(FINDINGS) <= set(named)
    shared = set(named) & set(ontology) - {"fracture"}  # the phantom breaks ribs alone and says so
    assert len(shared) > 10
    assert {code: named[code]["name"] for code in shared} == {code: ontology[code]["name"] for code in shared}
