"""A PACS that speaks DIMSE (PS3.7): C-ECHO, C-FIND, C-GET or C-MOVE, and C-STORE as a user."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context, build_role
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from imaging.elements import text
from imaging.failures import BadArguments
from imaging.pacs.connection import FILMS, TIMEOUT_S, Found, PacsFailed, Query, endpoint

FILM_CLASSES = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)
"""SOP classes that a chest film may be stored as (imaging.part10 opens them)."""
PENDING = (0xFF00, 0xFF01)
"""A match, or a sub-operation that goes on (PS3.4 C.4.1.1.4)."""
ALREADY_THERE = 0x0111
"""Duplicate SOP Instance (PS3.7 C.5.7)."""
WARNINGS = (0xB000, 0xB006, 0xB007)
"""Stored, with elements coerced or discarded (PS3.4 B.2.3)."""


class DimsePacs:
    """A DIMSE peer. Methods as Pacs has them."""

    def __init__(self, address: str, title: str, host: str, port: int, own_title: str, move_to: str) -> None:
        """Nothing is sent yet; arguments as `connect` takes them apart."""
        self.address = address
        self._title, self._host, self._port = title, host, port
        self._own_title = own_title
        self._move_to = endpoint(move_to) if move_to else None

    def echo(self) -> None:
        """C-ECHO."""
        with self._association([build_context(Verification)]) as association:
            self._check(association.send_c_echo(), "C-ECHO")

    def find(self, query: Query) -> list[Found]:
        """C-FIND of studies; modalities are held against what the PACS answers."""
        asked = Dataset()
        asked.QueryRetrieveLevel = "STUDY"
        asked.PatientID, asked.AccessionNumber = query.patient_id, query.accession
        asked.StudyInstanceUID, asked.StudyDate = query.study, query.dates
        asked.StudyDescription, asked.ModalitiesInStudy = "", ""
        found = [Found.of(study) for study in self._find(asked)]
        wanted = set(query.modalities)
        return [study for study in found if not wanted or not study.modalities or wanted & set(study.modalities)]

    def instances(self, study: str, modalities: tuple[str, ...] = FILMS) -> list[tuple[str, str]]:
        """(series, object) by C-FIND of series and of their objects."""
        asked = Dataset()
        asked.QueryRetrieveLevel = "SERIES"
        asked.StudyInstanceUID, asked.SeriesInstanceUID, asked.Modality = study, "", ""
        listed = []
        for series in [text(s, "SeriesInstanceUID") for s in self._find(asked) if text(s, "Modality") in modalities]:
            below = Dataset()
            below.QueryRetrieveLevel = "IMAGE"
            below.StudyInstanceUID, below.SeriesInstanceUID, below.SOPInstanceUID = study, series, ""
            listed += [(series, text(each, "SOPInstanceUID")) for each in self._find(below)]
        return listed

    def get(self, study: str, series: str = "", instance: str = "") -> Iterator[Dataset]:
        """The objects by C-GET, or by C-MOVE where a port to receive on was given."""
        asked = Dataset()
        asked.QueryRetrieveLevel = "IMAGE" if instance else "SERIES" if series else "STUDY"
        asked.StudyInstanceUID = study
        if series:
            asked.SeriesInstanceUID = series
        if instance:
            asked.SOPInstanceUID = instance
        taken: queue.SimpleQueue[Dataset] = queue.SimpleQueue()
        if self._move_to is None:
            self._c_get(asked, taken)
        else:
            self._c_move(asked, taken, self._move_to)
        while not taken.empty():
            yield taken.get()

    def store(self, datasets: Iterable[Dataset]) -> int:
        """C-STORE, one association for all."""
        given = list(datasets)
        wanted = {(UID(d.SOPClassUID), d.file_meta.TransferSyntaxUID) for d in given}
        with self._association([build_context(kind, syntax) for kind, syntax in sorted(wanted)]) as association:
            for dataset in given:
                try:
                    status = association.send_c_store(dataset)
                except ValueError as error:  # no accepted context for this class and syntax
                    raise PacsFailed(
                        f"The PACS does not take objects of the class {UID(dataset.SOPClassUID).name}.", str(error)
                    ) from None
                self._check(status, "C-STORE", ALREADY_THERE, *WARNINGS)
        return len(given)

    def _find(self, asked: Dataset) -> list[Dataset]:
        model = StudyRootQueryRetrieveInformationModelFind
        found = []
        with self._association([build_context(model)]) as association:
            for status, identifier in association.send_c_find(asked, model):
                if status and status.Status in PENDING and identifier is not None:
                    found.append(identifier)
                else:
                    self._check(status, "C-FIND")
        return found

    def _c_get(self, asked: Dataset, taken: queue.SimpleQueue[Dataset]) -> None:
        model = StudyRootQueryRetrieveInformationModelGet
        roles = [build_role(kind, scp_role=True) for kind in FILM_CLASSES]
        contexts = [build_context(model), *film_contexts()]
        handlers: list[Any] = [(evt.EVT_C_STORE, _take, [taken])]
        with self._association(contexts, ext_neg=roles, evt_handlers=handlers) as association:
            self._moved(association.send_c_get(asked, model), "C-GET")

    def _c_move(self, asked: Dataset, taken: queue.SimpleQueue[Dataset], at: tuple[str, int]) -> None:
        model = StudyRootQueryRetrieveInformationModelMove
        receiver = AE(self._own_title)
        receiver.supported_contexts = film_contexts()
        handlers: list[Any] = [(evt.EVT_C_STORE, _take, [taken])]
        try:
            server = receiver.start_server(at, block=False, evt_handlers=handlers)
        except OSError as error:
            raise BadArguments(
                f"{at[0]}:{at[1]} cannot be listened on: {error.strerror}.", "Give a free one."
            ) from None
        try:
            with self._association([build_context(model)]) as association:
                self._moved(association.send_c_move(asked, self._own_title, model), "C-MOVE")
        finally:
            if server is not None:
                server.shutdown()

    def _moved(self, statuses: Iterable[tuple[Dataset, Dataset | None]], what: str) -> None:
        for status, _ in statuses:
            if not status or status.Status not in PENDING:
                self._check(status, what)

    @contextmanager
    def _association(self, contexts: list[PresentationContext], **more: Any) -> Iterator[Association]:
        entity = AE(self._own_title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = TIMEOUT_S
        association = entity.associate(self._host, self._port, contexts, ae_title=self._title, **more)
        if not association.is_established:
            why = "refused us" if association.is_rejected else "cannot be reached"
            raise PacsFailed(
                f"The PACS {self._title} at {self._host}:{self._port} {why}.",
                f"Is it running, are title and port right, and does it know {self._own_title!r}?",
            )
        try:
            yield association
        finally:
            association.release()

    def _check(self, status: Dataset | None, what: str, *also: int) -> None:
        if not status:
            raise PacsFailed(f"The PACS {self._title} broke off during {what}.", "Look at its log.")
        if status.Status != 0 and status.Status not in also:
            raise PacsFailed(f"The PACS {self._title} answered {what} with 0x{status.Status:04X}.", "Look at its log.")


def film_contexts() -> list[PresentationContext]:
    """Contexts for films, in every transfer syntax: what is received is kept as it was sent.

    A context names one syntax or a list of them for a receiver; so do ours.
    """
    first = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    syntaxes: list[str | UID] = [*first, *(syntax for syntax in AllTransferSyntaxes if syntax not in first)]
    return [build_context(kind, syntaxes) for kind in FILM_CLASSES]


def received(event: evt.Event) -> Dataset:
    """The object of a C-STORE event, with its file meta information, ready to be written."""
    dataset = event.dataset
    dataset.file_meta = event.file_meta
    return dataset


def _take(event: evt.Event, taken: queue.SimpleQueue[Dataset]) -> int:
    taken.put(received(event))
    return 0x0000
