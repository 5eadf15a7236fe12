"""A watch that kills itself: `python killed_watch.py QUEUE SINK STAGE` works on a queue until STAGE, then SIGKILL.

The agent is made of nothing: what matters is what stands on the disk. SINK is a folder that plays the PACS.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pydicom

from imaging.failures import NotApplicable, Unavailable
from ui.watch import queue as queue_module
from ui.watch.queue import Item, Queue
from ui.watch.work import Plan, Watch


class Sink:
    """A PACS that keeps each object once by its UID, and every arrival in a list."""

    address = "sink"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, datasets: list[pydicom.Dataset]) -> int:
        if (self.folder / "away").exists():
            raise Unavailable("The PACS is away.")
        for dataset in datasets:
            (self.folder / f"{dataset.SOPInstanceUID}.dcm").write_bytes(b"there")
        return len(datasets)


class Reading(Watch):
    """A watch whose reading is a copy of the film under a UID of its own."""

    def __init__(self, queue: Queue, sink: Sink, stage: str = "") -> None:
        super().__init__(queue, _NO_AGENT, Plan(), sink)  # type: ignore[arg-type]
        self.stage = stage

    def _read(self, item: Item) -> None:
        dataset = pydicom.dcmread(self._queue.film(item))
        if dataset.get("PatientComments") == "no chest":
            raise NotApplicable("This is no chest film.")
        self._die("reading")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
        dataset.PatientComments = item.uid
        from imaging.part10 import file_bytes

        self._queue.keep_results(item, {"copy.dcm": file_bytes(dataset)})
        self._die("read")

    def _send(self, item: Item) -> None:
        self._pacs.store([pydicom.dcmread(path) for path in self._queue.results(item)])
        self._die("stored")
        self._queue.done(item)

    def _die(self, stage: str) -> None:
        if self.stage == stage:
            os.kill(os.getpid(), signal.SIGKILL)


_NO_AGENT: Any = None


def main(folder: Path, sink: Path, stage: str) -> None:
    if stage in ("writing results", "between results and row"):
        real = queue_module._write if stage == "writing results" else queue_module._sync

        def dying(path: Path, *rest: Any) -> None:
            real(path, *rest)
            if "outbox" in str(path):
                os.kill(os.getpid(), signal.SIGKILL)

        setattr(queue_module, real.__name__, dying)
    Reading(Queue(folder), Sink(sink), stage).run(threading.Event(), once=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
