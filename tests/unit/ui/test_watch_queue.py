"""The watch's queue: no film lost, none done twice, whatever happens between two of its steps."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import DigitalXRayImageStorageForPresentation, Verification

from imaging.failures import BadArguments
from imaging.phantom import PhantomSpec, write_phantom
from ui.watch import queue as queue_module
from ui.watch.queue import Queue, State, opened, standing
from ui.watch.receiver import receive
from ui.watch.work import Plan

sys.path.insert(0, str(Path(__file__).parent))
from killed_watch import Reading, Sink

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_phantom(PhantomSpec(seed=1, size=64), path)
    return path.read_bytes()


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    folder = tmp_path / "sink"
    folder.mkdir()
    return Sink(folder)


def run(queue: Queue, sink: Sink) -> None:
    Reading(queue, sink).run(threading.Event(), once=True)


@pytest.mark.parametrize("stage", ["reading", "writing results", "between results and row", "read", "stored"])
def test_a_kill_at_any_stage_loses_nothing_and_does_nothing_twice(
    stage: str, film: bytes, sink: Sink, tmp_path: Path
) -> None:
    with opened(tmp_path / "queue") as queue:
        for uid in ("1.2.1", "1.2.2"):
            queue.put(uid, film)
    command = [
        sys.executable,
        str(ROOT / "tests/unit/ui/killed_watch.py"),
        str(tmp_path / "queue"),
        str(sink.folder),
        stage,
    ]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    with opened(tmp_path / "queue") as queue:
        run(queue, sink)
    # A result that was sent before the kill is sent again under the same UID, so that the PACS has it once.
    assert len(list(sink.folder.iterdir())) == 2
    assert standing(tmp_path / "queue")["counts"]["sent"] == 2
    assert not list((tmp_path / "queue" / "inbox").iterdir()) and not list((tmp_path / "queue" / "outbox").iterdir())


def test_a_film_that_comes_again_is_not_done_again(film: bytes, sink: Sink, tmp_path: Path) -> None:
    with opened(tmp_path / "queue") as queue:
        assert queue.put("1.2.3", film) and not queue.put("1.2.3", film)
        run(queue, sink)
        assert not queue.put("1.2.3", film)
        run(queue, sink)
    assert len(list(sink.folder.iterdir())) == 1


def test_a_pacs_that_is_away_gets_the_results_later(
    film: bytes, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "FIRST_WAIT_S", 0.05)
    (sink.folder / "away").touch()
    with opened(tmp_path / "queue") as queue:
        queue.put("1.2.4", film)
        run(queue, sink)
        assert standing(queue.folder)["films"][0]["reason"] == "The PACS is away."
        assert standing(queue.folder)["counts"]["read"] == 1
        (sink.folder / "away").unlink()
        time.sleep(0.2)
        run(queue, sink)
        assert standing(queue.folder)["counts"]["sent"] == 1


def test_waits_double_up_to_a_limit(film: bytes, tmp_path: Path) -> None:
    with opened(tmp_path / "queue") as queue:
        queue.put("1.2.5", film)
        waits = []
        for _ in range(9):
            queue._db.execute("UPDATE films SET due_s = 0")
            item = queue.due()
            assert item is not None
            waits.append(queue.later(item, "x"))
        assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300]


def test_a_full_disk_is_told_to_the_sender_and_nothing_is_taken(
    film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = pydicom.dcmread(io.BytesIO(film))
    with opened(tmp_path / "queue") as queue:
        server = receive(queue, ("127.0.0.1", 0), ["SENDER"])
        try:
            association = _associated(server, "SENDER")
            real = os.fsync

            def full(handle: int) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            monkeypatch.setattr(queue_module.os, "fsync", full)
            assert association.send_c_store(dataset).Status == 0xA700
            assert queue.due() is None and not list((queue.folder / "inbox").iterdir())
            monkeypatch.setattr(queue_module.os, "fsync", real)
            assert association.send_c_store(dataset).Status == 0x0000
            assert association.send_c_store(dataset).Status == 0x0000, "the sender may not know that it was taken"
            assert association.send_c_echo().Status == 0x0000
            association.release()
            assert not _associated(server, "STRANGER").is_established
        finally:
            server.shutdown()
        [kept] = (queue.folder / "inbox").iterdir()
        assert pydicom.dcmread(kept).SOPInstanceUID == dataset.SOPInstanceUID
        assert kept.stat().st_mode & 0o077 == 0


def _associated(server: Any, title: str) -> Any:
    entity = AE(title)
    entity.add_requested_context(DigitalXRayImageStorageForPresentation)
    entity.add_requested_context(Verification)
    return entity.associate("127.0.0.1", server.server_address[1])


def test_a_full_disk_while_reading_waits(
    film: bytes, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "queue") as queue:
        queue.put("1.2.6", film)
        real = queue_module._write

        def full(path: Path, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(queue_module, "_write", full)
        run(queue, sink)
        [row] = standing(queue.folder)["films"]
        assert (row["state"], row["tries"]) == ("received", 1)
        monkeypatch.setattr(queue_module, "_write", real)
        queue._db.execute("UPDATE films SET due_s = 0")
        run(queue, sink)
        assert standing(queue.folder)["counts"]["sent"] == 1


def test_what_is_no_chest_film_is_refused_once_and_deleted(film: bytes, sink: Sink, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(io.BytesIO(film))
    dataset.PatientComments = "no chest"
    from imaging.part10 import file_bytes

    with opened(tmp_path / "queue") as queue:
        queue.put("1.2.7", file_bytes(dataset))
        run(queue, sink)
        [row] = standing(queue.folder)["films"]
        assert (row["state"], row["reason"]) == ("refused", "This is no chest film.")
        assert "1.2.7" not in str(row), "the queue's listing names nobody"
        assert not list((queue.folder / "inbox").iterdir())


def test_a_fault_is_given_up_after_three_tries_and_can_be_tried_again(sink: Sink, tmp_path: Path) -> None:
    with opened(tmp_path / "queue") as queue:
        queue.put("1.2.8", b"no dicom at all")
        for _ in range(3):
            queue._db.execute("UPDATE films SET due_s = 0")
            run(queue, sink)
        assert standing(queue.folder)["counts"]["failed"] == 1
        assert queue.due() is None and queue.again() == 1
        item = queue.due()
        assert item is not None and item.state is State.RECEIVED and queue.film(item).exists()


def test_listening_beyond_this_machine_needs_named_senders(tmp_path: Path) -> None:
    with opened(tmp_path / "queue") as queue, pytest.raises(BadArguments, match="Name who may send"):
        receive(queue, ("0.0.0.0", 0))


def test_two_watches_do_not_share_a_queue(tmp_path: Path) -> None:
    with opened(tmp_path / "queue"), pytest.raises(BadArguments, match="Another hilum watch"):
        Queue(tmp_path / "queue")
    with pytest.raises(BadArguments, match="no queue"):
        standing(tmp_path)


def test_a_plan_writes_dicom_only() -> None:
    assert Plan.of("Is there an effusion?", ["sr"]).formats == ("sr",)
    for question, formats in (("x", ["pdf"]), ("x", []), (" ", ["sr"])):
        with pytest.raises(BadArguments, match="The plan is none"):
            Plan.of(question, formats)
