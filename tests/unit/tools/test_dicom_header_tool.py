"""dicom_header: the file's own word on the film, and nothing that identifies."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from stub_pool import context_of, phantom

from tools.dicom_header import WITHHELD, DicomHeaderData, dicom_header


def test_allowed_fields_and_no_identifier() -> None:
    film = replace(
        phantom().radiograph, acquired=dt.date(2021, 3, 14), patient_key="abcdef0123456789",
        study_key="fedcba9876543210", age_years=93.0, sex="F", spacing_mm=(0.2, 0.2),
    )  # fmt: skip
    context, image_id, pool = context_of(phantom(), radiograph=film)
    result = dicom_header.run(context, {"image_id": image_id})
    assert isinstance(result.data, DicomHeaderData)
    assert not set(WITHHELD) & set(result.data.fields)
    dumped = result.model_dump_json()
    assert not [word for word in ("2021", "abcdef", "fedcba", "93") if word in dumped.replace(image_id, "")]
    assert result.data.fields["age"] == "90 or older" and result.data.dated
    assert "Age: 90 or older." in result.summary and "Sex: F." in result.summary
    assert "Pixel spacing: 0.2 x 0.2 mm" in result.summary and pool.calls == []


def test_a_picture_has_no_header() -> None:
    film = replace(phantom().radiograph, spacing_mm=None, source=replace(phantom().radiograph.source, format="PNG"))
    context, image_id, _ = context_of(phantom(), radiograph=film)
    said = dicom_header.run(context, {"image_id": image_id}).summary
    assert "It has no DICOM header." in said and "Pixel spacing: not stated." in said
