"""Key object selection, and secondary captures: what a tool drew on a film, as a picture that any viewer shows."""

from __future__ import annotations

import numpy as np
from highdicom import CoordinateSystemNames, PhotometricInterpretationValues
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sc import SCImage
from highdicom.sr import DeviceObserverIdentifyingAttributes, ObserverContext
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import RLELossless

from agent.answer import Evidence
from agent.exports.dicom.parts import new_uid, object_arguments, who
from agent.exports.dicom.sources import stand_in
from agent.exports.material import SOFTWARE, Material
from imaging.failures import NotApplicable
from imaging.overlays import Overlay
from imaging.part10 import file_bytes
from imaging.radiograph import Radiograph
from imaging.render import render
from tools.contract import Status

LONGEST_SIDE_PX = 2048
"""Of a capture: what a reading screen shows at once."""
STRIP_SHARE = 0.05
"""Height of the strip of words under a capture over its width."""
NAMED = (Status.PRESENT, Status.UNCERTAIN)
"""What makes a film a key object."""
UNKNOWN_ORIENTATION = ("L", "F")
"""What highdicom insists on; taken back where the film does not say how it lies."""


def key_objects(material: Material, sources: dict[str, Dataset]) -> bytes:
    """A selection "Of Interest" of the films on which a finding is present or uncertain (PS3.3 A.35.4, TID 2010).

    Args:
        material: the report.
        sources: film id -> header, as sources_of gives them.

    Raises:
        NotApplicable: there is no such film.
    """
    named = {film_id: [row for row in material.stated(film_id) if row.finding.status in NAMED] for film_id in sources}
    chosen = [film_id for film_id, rows in named.items() if rows]
    if not chosen:
        raise NotApplicable("No film of this report shows a finding, so none is a key object.", "")
    device = DeviceObserverIdentifyingAttributes(uid=new_uid(), name=SOFTWARE, model_name=material.software)
    found = "; ".join(
        f"{material.film_names.get(film_id, film_id)}: "
        + ", ".join(f"{row.name} {row.finding.status.value}" for row in named[film_id])
        for film_id in chosen
    )
    content = KeyObjectSelection(
        document_title=dicom_codes.DCM.OfInterest,
        referenced_objects=[sources[film_id] for film_id in chosen],
        observer_device_context=ObserverContext(dicom_codes.DCM.Device, device),
        description=f"{material.draft.status} {found}. Drafted by {material.written_by}.",
    )
    headers = [sources[film_id] for film_id in chosen]
    return file_bytes(
        KeyObjectSelectionDocument(evidence=headers, content=content, **object_arguments(material, "KO", 1))
    )


def captures(material: Material, sources: dict[str, Dataset]) -> dict[str, bytes]:
    """ "E3.film_1" -> secondary capture of that evidence on that film, RGB, status and origin in words below it.

    Args:
        material: the report.
        sources: film id -> header; a film that is not in it gets a study of its own, without a patient.

    Raises:
        NotApplicable: no tool drew anything.
    """
    made = {}
    own: dict[str, Dataset] = {}
    for number, (record, film, overlays) in enumerate(material.shown(), start=1):
        header = sources.get(film.id) or own.setdefault(film.id, stand_in(film))
        name = material.film_names.get(film.id, film.id).replace(" ", "_")
        made[f"{record.id}.{name}"] = file_bytes(_capture(material, record, film, overlays, header, number))
    if not made:
        raise NotApplicable("No tool drew anything on the films of this report.", "Ask where something is.")
    return made


def _capture(
    material: Material, record: Evidence, film: Radiograph, overlays: list[Overlay], header: Dataset, number: int
) -> SCImage:
    name, version = who(record, material)
    words = [material.draft.status, f"{record.id} {record.title} by {name}@{version}, {material.software}"]
    image = SCImage.from_ref_dataset(
        ref_dataset=header,
        pixel_array=_picture(film, overlays, words),
        photometric_interpretation=PhotometricInterpretationValues.RGB,
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=film.source.orientation or UNKNOWN_ORIENTATION,
        transfer_syntax_uid=RLELossless,
        **object_arguments(material, "SC", number),
    )
    if film.source.orientation is None:
        image["PatientOrientation"].value = None
    if "Laterality" not in image:
        image.Laterality = ""  # type 2C: there, and empty where the film is of both sides
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.DerivationDescription = " ".join(words)
    if header.get("SOPInstanceUID"):
        reference = Dataset()
        reference.ReferencedSOPClassUID = header.SOPClassUID
        reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
        image.SourceImageSequence = [reference]
    return image


def _picture(film: Radiograph, overlays: list[Overlay], words: list[str]) -> np.ndarray:
    """uint8 [h, w, 3]: the film with its overlays, and under it a black strip with the words."""
    picture = Image.fromarray(render(film, overlays))
    picture.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX), Image.Resampling.LANCZOS)
    line = max(12, round(picture.width * STRIP_SHARE / 2))
    canvas = Image.new("RGB", (picture.width, picture.height + line * (len(words) + 1)))
    canvas.paste(picture)
    draw = ImageDraw.Draw(canvas)
    for place, said in enumerate(words):
        size = line * 0.75
        while size > 6 and draw.textlength(said, ImageFont.load_default(size)) > picture.width * 0.98:
            size *= 0.95
        at = (picture.width * 0.01, picture.height + line * (place + 0.4))
        draw.text(at, said, fill=(255, 255, 255), font=ImageFont.load_default(size))
    return np.asarray(canvas)
