"""PACS: a real Orthanc with its DICOMweb plug-in, spoken to over both protocols, polled, fed, and taken away.

Debian's Orthanc listens on every interface whatever its settings, so that it and Hilum run in a network namespace of
their own with nothing but a loopback (orthanc_scenario.py); what it saw comes back as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orthanc_scenario
import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
NAMESPACE = ["unshare", "--net", "--pid", "--fork", "--kill-child"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if shutil.which("Orthanc") is None or not PLUGIN.exists():
        pytest.skip("Orthanc with its DICOMweb plug-in is not installed (Debian: orthanc, orthanc-dicomweb)")
    if shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here (it takes root): Orthanc would listen on every interface")
    folder = tmp_path_factory.mktemp("pacs")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "HILUM_STATE_DIR": str(folder / "state"),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    command = [*NAMESPACE, sys.executable, str(ROOT / "tests" / "integration" / "orthanc_scenario.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=850)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


pytestmark = pytest.mark.timeout(900)  # the module's fixture starts Orthanc twice and reads three films


def test_films_go_there_and_come_back_equal(seen: dict[str, Any]) -> None:
    assert seen["stored"] == [1, 1] and seen["stored again"] == 1, "the same object twice is no failure"
    for protocol in ("web", "dimse", "move"):
        assert seen[f"{protocol} found"] == [["DX"], ["DX"]]
        assert seen[f"{protocol} equal"] == [True] * 4
        assert seen[f"{protocol} by patient"] == 1 and seen[f"{protocol} none"] == 0


def test_refusals_say_what_to_do(seen: dict[str, Any]) -> None:
    assert "401" in seen["wrong login"] and "HILUM_PACS_LOGIN" in seen["wrong login"]
    assert "cannot be reached" in seen["wrong port"]
    assert seen["unknown title"].startswith("PacsFailed")


def test_every_film_gets_one_sr_and_one_seg(seen: dict[str, Any]) -> None:
    assert seen["polled"] == 0, "a second poll finds nothing new"
    assert seen["after poll"] == {"DX": 2, "SR": 2, "SEG": 2}
    assert seen["received"]["received"] == 1, "the film that Orthanc sent twice is one"
    assert seen["objects"] == {"DX": 3, "SR": 3, "SEG": 3}
    assert seen["sr"] == {"patient": "PHANTOM-13", "verified": "UNVERIFIED",
                          "description": "Hilum: UNVERIFIED DRAFT by software"}  # fmt: skip


def test_the_page_shows_commands_that_were_run(seen: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "pacs.md").read_text(encoding="utf-8")
    assert tuple(page.split("```text\n")[1].split("```")[0].splitlines()) == orthanc_scenario.COMMANDS
    codes, outputs = zip(*seen["commands"], strict=True)
    assert set(codes) == {0}, outputs
    echo, listed, found, pulled, pushed, watched, status = outputs
    assert "answers" in echo and "PHANTOM-11" in listed and "PHANTOM-12" in listed
    assert [study["patient_id"] for study in json.loads(found)] == ["PHANTOM-11"]
    assert pulled.startswith("pulled/") and "1 sent" in pushed and "2 new films" in watched
    assert json.loads(status)["counts"]["sent"] == 2


def test_signed_report_goes_back_from_the_workbench_by_either_protocol(seen: dict[str, Any]) -> None:
    """Read by stub tools; search, fetch, objects and sending are the screen's own."""
    for listed, films, answered, again in seen["workbench told"]:
        assert listed and films == 1
        assert answered["sent"].startswith("Sent to ") and "SR, SEG, SC" in answered["sent"], answered
        assert "has these already" in again["refused"]
    new = {modality: count for modality, count in seen["workbench sent"].items() if count}
    assert set(new) == {"SR", "SEG", "OT"} and new["SR"] == new["SEG"] == 2, "secondary captures are OT"
    assert seen["workbench reports"] == [["UNVERIFIED", "PHANTOM-11"], ["VERIFIED", "PHANTOM-11"]]


def test_results_wait_for_a_pacs_that_is_away(seen: dict[str, Any]) -> None:
    assert "cannot be reached" in seen["pacs away"]
    assert seen["at the end"] == {"received": 0, "read": 0, "sent": 3, "refused": 0, "failed": 0}
    assert seen["polled after"] == 0, "what was received is known to the poller, and results are no films"
    assert seen["left on disk"] == [], "no patient's film stays once it is sent"
