"""Every reason for which a file cannot become a Radiograph, by name, with what to do about it."""

from __future__ import annotations

from imaging.failures import FilmRefused

REFUSALS: dict[str, str] = {
    "not_found": "Check the path.",
    "unreadable": "Check that it is a file and that you may read it.",
    "empty": "Copy or export the file again.",
    "truncated": "Copy or export the file again; the transfer was probably cut short.",
    "not_an_image": "Give a chest radiograph as DICOM, PNG, JPEG, TIFF, WebP or BMP.",
    "archive": "Unpack it and give the films inside.",
    "archive_bomb": "Unpack it yourself, look at what it holds, and give the films inside.",
    "too_many": "Give fewer files at a time: one patient's, or one study's.",
    "multi_frame": "Give one still film per file; export the wanted frame or page by itself.",
    "not_a_radiograph": "Give a projection radiograph of the chest (modality DX, CR or RG).",
    "no_pixels": "Give the image object of the study, not its report, plan or index.",
    "too_small": "Give the film at its original size.",
    "too_large": "Give the film at its original size, within the limit, without padding.",
    "unsupported": "Convert it to uncompressed DICOM (dcmdjpeg, dcmconv) or to 16-bit PNG.",
    "decode": "The file is damaged or contradicts its own header; export it again, uncompressed if possible.",
    "exists": "Give another place, or remove what is there.",
    "duplicate": "Nothing needs to be done.",
    "store_full": "Remove films, start a new session, or raise the limit of the store.",
}
"""kind -> what to do next, when nothing more particular is known."""


def refusal(kind: str, message: str, hint: str | None = None) -> FilmRefused:
    """A FilmRefused of a kind in REFUSALS, with that kind's own hint unless a better one is given.

    Neither the message nor the hint may hold a path, a name or another value that identifies a person.

    Raises:
        KeyError: the kind is not in REFUSALS (our own fault).
    """
    return FilmRefused(message, REFUSALS[kind] if hint is None else hint, kind=kind)
