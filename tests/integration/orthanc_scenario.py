"""What tests/integration/test_pacs.py runs inside a network namespace of its own: Orthanc and Hilum, loopback only.

Prints one JSON object of what was seen. Run by hand: unshare --net --pid --fork --kill-child python THIS FOLDER
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
from typer.testing import CliRunner

from agent import Agent, Settings
from app import cli
from imaging.failures import HilumFailure
from imaging.pacs import Pacs, Query, connect
from imaging.phantom import PhantomSpec, parse_finding, write_phantom
from ui.watch.queue import Queue, standing
from ui.watch.receiver import poll, receive
from ui.watch.work import Plan, Watch

HTTP, DIMSE, OURS, MOVE = 8042, 4242, 11112, 11113
LOGIN = "films:secret"
WEB, DICOM = f"http://127.0.0.1:{HTTP}/dicom-web", f"dicom://ORTHANC@127.0.0.1:{DIMSE}"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def loopback_up() -> None:
    """A new namespace's loopback is down; there is no other interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


class Orthanc:
    """The server, started and stopped; its storage stays."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "orthanc.json"
        storage = str(folder / "storage")
        self.config.write_text(json.dumps({
            "StorageDirectory": storage, "IndexDirectory": storage, "HttpPort": HTTP, "DicomPort": DIMSE,
            "RemoteAccessAllowed": False, "AuthenticationEnabled": True, "RegisteredUsers": {"films": "secret"},
            "DicomAlwaysAllowStore": False, "DicomAlwaysAllowFind": False, "DicomAlwaysAllowGet": False,
            "DicomModalities": {"hilum": {"AET": "HILUM", "Host": "127.0.0.1", "Port": OURS},
                                "mover": {"AET": "MOVER", "Host": "127.0.0.1", "Port": MOVE}},
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"], "DicomWeb": {"Enable": True},
        }))  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(["Orthanc", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{HTTP}/system", auth=("films", "secret")).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("Orthanc does not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        told = json.dumps(body) if isinstance(body, dict | list) else body
        done = httpx.request(
            method, f"http://127.0.0.1:{HTTP}{path}", content=told, auth=("films", "secret"), timeout=60
        )
        done.raise_for_status()
        return done.json()

    def modalities(self) -> dict[str, int]:
        """Modality -> objects."""
        counted: dict[str, int] = {}
        for each in self.api("GET", "/series?expand"):
            modality = each["MainDicomTags"]["Modality"]
            counted[modality] = counted.get(modality, 0) + len(each["Instances"])
        return counted


def phantoms(folder: Path) -> list[Path]:
    paths = [folder / f"film-{seed}.dcm" for seed in (11, 12, 13)]
    for seed, path in zip((11, 12, 13), paths, strict=True):
        write_phantom(PhantomSpec(seed=seed, size=256, findings=(parse_finding("effusion:left:600ml"),)), path)
    return paths


def failure(call: Any) -> str:
    try:
        call()
    except HilumFailure as refused:
        return f"{type(refused).__name__}: {refused}"
    return ""


def exchange(films: list[Path], seen: dict[str, Any]) -> None:
    """Send, find and fetch by both protocols."""
    web, dimse = connect(WEB, LOGIN), connect(DICOM)
    mover: Pacs = connect(DICOM, own_title="MOVER", move_to=f"127.0.0.1:{MOVE}")
    web.echo()
    dimse.echo()
    seen["stored"] = [web.store([pydicom.dcmread(films[0])]), dimse.store([pydicom.dcmread(films[1])])]
    seen["stored again"] = web.store([pydicom.dcmread(films[0])])
    given = {d.StudyInstanceUID: d for d in map(pydicom.dcmread, films[:2])}
    for name, pacs in (("web", web), ("dimse", dimse), ("move", mover)):
        found = pacs.find(Query(dates="19990101-20300101"))
        equal = []
        for study in found:
            [(series, uid)] = pacs.instances(study.study)
            [fetched] = pacs.get(study.study, series, uid)
            [whole] = pacs.get(study.study)
            original = given[study.study]
            equal.append(
                np.array_equal(fetched.pixel_array, original.pixel_array) and fetched.PatientID == original.PatientID
            )
            equal.append(whole.SOPInstanceUID == original.SOPInstanceUID)
        seen[f"{name} found"] = sorted(study.modalities for study in found)
        seen[f"{name} equal"] = equal
        seen[f"{name} by patient"] = len(pacs.find(Query(patient_id=found[0].patient_id)))
        seen[f"{name} none"] = len(pacs.find(Query(patient_id="NOBODY")))
    seen["wrong login"] = failure(connect(WEB, "films:wrong").echo)
    seen["wrong port"] = failure(connect("dicom://ORTHANC@127.0.0.1:4").echo)
    seen["unknown title"] = failure(lambda: connect(DICOM, own_title="STRANGER").find(Query()))


def watch(films: list[Path], folder: Path, orthanc: Orthanc, seen: dict[str, Any]) -> None:
    """Poll, receive, read, send; the PACS away in between."""
    web = connect(WEB, LOGIN)
    queue = Queue(folder / "state" / "watch")
    work = Watch(queue, Agent(Settings(profile="embedded")), Plan(), web)
    stopped = threading.Event()
    seen["after poll"] = orthanc.modalities()
    seen["polled"] = poll(queue, web, 20000)
    server = receive(queue, ("127.0.0.1", OURS), ["ORTHANC"])
    try:
        new = orthanc.api("POST", "/instances", films[2].read_bytes())
        for _ in range(2):
            orthanc.api("POST", "/modalities/hilum/store", {"Resources": [new["ID"]], "Synchronous": True})
    finally:
        server.shutdown()
    seen["received"] = standing(queue.folder)["counts"]
    orthanc.stop()
    item = queue.due()
    assert item is not None
    work.step(item)
    read = queue.due()
    assert read is not None
    work.step(read)
    seen["pacs away"] = standing(queue.folder)["films"][0]["reason"]
    orthanc.start()
    time.sleep(2.5)
    work.run(stopped, once=True)
    seen["at the end"] = standing(queue.folder)["counts"]
    seen["objects"] = orthanc.modalities()
    seen["polled after"] = poll(queue, web, 20000)
    [sr] = [d for d in web.get(pydicom.dcmread(films[2]).StudyInstanceUID) if d.Modality == "SR"]
    seen["sr"] = {"patient": str(sr.PatientID), "verified": sr.VerificationFlag, "description": sr.SeriesDescription}
    seen["left on disk"] = sorted(path.suffix for path in queue.folder.rglob("*") if path.suffix == ".dcm")
    queue.close()


def workbench(films: list[Path], folder: Path, orthanc: Orthanc, seen: dict[str, Any]) -> None:
    """What PACS tab and report panel call: a study fetched by one protocol, its signed report sent by the other."""
    from workbench import WorkbenchAgent

    from ui.chat import sending, studies
    from ui.chat.conversation import Conversation

    agent = WorkbenchAgent(folder / "workbench.db")
    reached = [connect(WEB, LOGIN), connect(DICOM)]
    before, told = orthanc.modalities(), []
    for at, (film, seed) in enumerate(zip(films[:2], (11, 12), strict=True)):
        conversation = Conversation(agent.session)
        study = pydicom.dcmread(film).StudyInstanceUID
        shown = studies.find(reached, {"pacs": str(at), "patient": f"PHANTOM-{seed}"})
        studies.open_study(conversation, reached, {"pacs": at, "study": study})
        conversation.session.ask("Write a report. Outline the heart.")
        conversation.session.keep_draft(conversation.session.draft().accept().sign("Dr. Reader"))
        wanted = {"pacs": str(1 - at), "version": conversation.session.draft().version, "formats": ["sr", "seg", "sc"]}
        answered = sending.sent_to(conversation, reached, wanted, [])
        again = sending.sent_to(conversation, reached, wanted, [])
        told.append([study in shown, len(conversation.films), answered, again])
    after = orthanc.modalities()
    seen["workbench told"] = told
    seen["workbench sent"] = {name: after[name] - before.get(name, 0) for name in after}
    reports = [d for d in reached[0].get(pydicom.dcmread(films[0]).StudyInstanceUID) if d.Modality == "SR"]
    seen["workbench reports"] = sorted([d.VerificationFlag, str(d.PatientID)] for d in reports)


COMMANDS = (
    f"hilum pacs echo --pacs {WEB}",
    f"hilum pacs query --pacs {WEB} --dates 19990101-20300101",
    f"hilum pacs query --pacs {DICOM} --patient PHANTOM-11 --json",
    f"hilum pacs pull --pacs {WEB} STUDY --out pulled",
    f"hilum pacs push --pacs {DICOM} pulled",
    f"hilum watch --pacs {WEB} --poll 60 --back-days 20000 --once",
    f"hilum watch --pacs {WEB} --status",
)
"""The first block of docs/pacs.md."""


def command_line(study: str, folder: Path, seen: dict[str, Any]) -> None:
    """The commands as a user types them; what they print."""
    os.environ["HILUM_PACS_LOGIN"] = LOGIN
    os.chdir(folder)
    outputs = []
    for command in COMMANDS:
        words = shlex.split(command.replace("STUDY", study))[1:]
        done = CliRunner().invoke(cli, words)
        outputs.append([done.exit_code, done.output if done.exit_code == 0 else repr(done.exception)])
    seen["commands"] = outputs


def main(folder: Path) -> None:
    loopback_up()
    seen: dict[str, Any] = {}
    films = phantoms(folder)
    orthanc = Orthanc(folder)
    orthanc.start()
    try:
        exchange(films, seen)
        command_line(pydicom.dcmread(films[0]).StudyInstanceUID, folder, seen)
        watch(films, folder, orthanc, seen)
        workbench(films, folder, orthanc, seen)
    finally:
        orthanc.stop()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
