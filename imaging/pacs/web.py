"""A PACS that speaks DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from imaging.elements import text
from imaging.pacs.connection import FILMS, TIMEOUT_S, Found, PacsFailed, Query

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient

FIELDS = ("StudyDescription", "ModalitiesInStudy", "AccessionNumber", "PatientID", "StudyDate")
PAGE = 200
"""Matches asked for at once; the next page follows until one is short."""
BATCH_BYTES = 64 << 20
"""Pixel bytes of one STOW request."""
ALREADY_THERE = 0x0111
"""Failure Reason "duplicate SOP instance" (PS3.7 C.5.7): it is there, which is what was wanted."""


class WebPacs:
    """A DICOMweb server. Methods as Pacs has them."""

    def __init__(self, address: str, login: str) -> None:
        """Nothing is sent yet.

        Args:
            address: of the DICOMweb root.
            login: user:password, a bearer token, or empty.
        """
        self.address = address
        self._login = login
        self._client: DICOMwebClient | None = None

    def echo(self) -> None:
        """One query for at most one study."""
        with self._asking() as client:
            client.search_for_studies(limit=1)

    def find(self, query: Query) -> list[Found]:
        """The studies that match."""
        filters = {
            "PatientID": query.patient_id,
            "AccessionNumber": query.accession,
            "StudyInstanceUID": query.study,
            "StudyDate": query.dates,
        }
        given = {name: value for name, value in filters.items() if value}
        found: dict[str, Found] = {}
        for modality in query.modalities or ("",):
            wanted = given | ({"ModalitiesInStudy": modality} if modality else {})
            for item in self._pages("search_for_studies", search_filters=wanted, fields=list(FIELDS)):
                study = Found.of(Dataset.from_json(item))
                found.setdefault(study.study, study)
        return list(found.values())

    def instances(self, study: str, modalities: tuple[str, ...] = FILMS) -> list[tuple[str, str]]:
        """(series, object) of a study's objects of these modalities."""
        listed = []
        for modality in modalities:
            wanted = {"Modality": modality}
            for item in self._pages("search_for_series", study_instance_uid=study, search_filters=wanted):
                series = text(Dataset.from_json(item), "SeriesInstanceUID")
                objects = self._pages("search_for_instances", study_instance_uid=study, series_instance_uid=series)
                listed += [(series, text(Dataset.from_json(each), "SOPInstanceUID")) for each in objects]
        return listed

    def get(self, study: str, series: str = "", instance: str = "") -> Iterator[Dataset]:
        """The objects, as they are stored."""
        with self._asking() as client:
            if instance:
                yield client.retrieve_instance(study, series, instance)
            elif series:
                yield from client.retrieve_series(study, series)
            else:
                yield from client.retrieve_study(study)

    def store(self, datasets: Iterable[Dataset]) -> int:
        """Send the objects in requests of bounded size."""
        sent, batch, size = 0, list[Dataset](), 0
        for dataset in chain(datasets, (None,)):
            if batch and (dataset is None or size >= BATCH_BYTES):
                self._stow(batch)
                sent, batch, size = sent + len(batch), [], 0
            if dataset is not None:
                batch.append(dataset)
                size += len(dataset.get("PixelData", b""))
        return sent

    def _stow(self, batch: list[Dataset]) -> None:
        with self._asking() as client:
            answer = client.store_instances(batch)
        failed = [item for item in answer.get("FailedSOPSequence", []) if item.get("FailureReason") != ALREADY_THERE]
        if failed:
            reasons = ", ".join(sorted({f"0x{int(item.get('FailureReason') or 0):04X}" for item in failed}))
            raise PacsFailed(f"The PACS did not take {len(failed)} of {len(batch)} objects (reason {reasons}).", "")

    def _pages(self, search: str, **asked: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            with self._asking() as client:
                page = getattr(client, search)(limit=PAGE, offset=offset, **asked)
            yield from page
            offset += len(page)
            if len(page) < PAGE:
                return

    @contextmanager
    def _asking(self) -> Iterator[DICOMwebClient]:
        """The client; its failures become PacsFailed, without what they quote of a response."""
        import requests

        try:
            yield self._client or self._connected()
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            hint = "Set HILUM_PACS_LOGIN." if status in (401, 403) else "Look at the PACS's log."
            raise PacsFailed(f"The PACS at {self.address} answered {status}.", hint) from None
        except (requests.RequestException, OSError) as error:
            raise PacsFailed(
                f"The PACS at {self.address} cannot be reached ({type(error).__name__}).",
                "Is it running, and is the address right?",
            ) from None

    def _connected(self) -> DICOMwebClient:
        import requests
        from dicomweb_client.api import DICOMwebClient

        session = requests.Session()
        session.trust_env = False  # a .netrc or proxy of the user must not send patients' films elsewhere
        user, colon, password = self._login.partition(":")
        if colon:
            session.auth = (user, password)
        elif self._login:
            session.headers["Authorization"] = f"Bearer {self._login}"
        self._client = DICOMwebClient(self.address, session=session, timeout=TIMEOUT_S)
        self._client.set_http_retry_params(retry=False)
        return self._client
