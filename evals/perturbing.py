"""What an answer is worth when something that should not matter is changed: the film a little, or the words.

`hilum eval TASK --perturb NAME` asks the same questions, altered; `hilum eval compare A B` tells the difference of the
two runs and how many answers stayed the same. How strong each change is, is our judgement.
"""

from __future__ import annotations

import hashlib
import io
import random
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from evals.formats.rows import fingerprint
from evals.questions import Question, Questions, options_of, stem_of
from imaging import open_film
from imaging.failures import BadArguments, HilumFailure, NotApplicable, writing
from imaging.part10 import file_bytes, looks_like_dicom, read_dataset
from imaging.radiograph import Radiograph
from imaging.render import to_png
from models.outputs import Masks, Task

if TYPE_CHECKING:
    from agent.settings import Settings
    from models.pool import ModelPool

Floats = npt.NDArray[np.float32]
FOLDER = "perturbed-films"
"""Folder of the altered films beside the runs; may be deleted at any time."""

NOISE_SD, BLUR_SD, ROTATION_DEG, CROP, BRIGHTER, JPEG_QUALITY = 0.03, 0.004, 5.0, 0.05, 0.15, 15
"""Of the grey range; of the longer side; degrees; of each side; of the grey range; of 100."""

OTHER = {"yes": "no", "no": "yes"}
"""The wrong answer to an open question of which one is known."""

MASKED, MISINFORMATION, PARAPHRASE = "without-lungs", "misinformation", "paraphrase"


def _noise(pixels: Floats, seed: int) -> Floats:
    return pixels + np.random.default_rng(seed).normal(0, NOISE_SD, pixels.shape).astype(np.float32)


def _crop(pixels: Floats, seed: int) -> Floats:
    rows, columns = (round(CROP * side) for side in pixels.shape)
    return pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns]


def _jpeg(pixels: Floats, seed: int) -> Floats:
    held = io.BytesIO()
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(held, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(held), dtype=np.float32) / np.float32(255)


PIXELS: Mapping[str, tuple[str, Callable[[Floats, int], Floats]]] = {
    "noise": (f"noise of {NOISE_SD:.0%} of the grey range added", _noise),
    "blur": (
        f"blurred by {BLUR_SD:.1%} of the longer side",
        lambda pixels, seed: ndimage.gaussian_filter(pixels, BLUR_SD * max(pixels.shape)),
    ),
    "rotation": (
        f"turned by {ROTATION_DEG:g} degrees",
        lambda pixels, seed: ndimage.rotate(pixels, ROTATION_DEG, reshape=False, order=1, mode="nearest"),
    ),
    "crop": (f"{CROP:.0%} of each side cut off", _crop),
    "brightness": (f"brighter by {BRIGHTER:.0%} of the grey range", lambda pixels, seed: pixels + BRIGHTER),
    "jpeg": (f"through JPEG at quality {JPEG_QUALITY}", _jpeg),
}
WHITE = 2**16 - 1
GREYS = (
    "RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "VOILUTSequence", "VOILUTFunction",
    "PresentationLUTShape", "PresentationLUTSequence", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "PixelAspectRatio", "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "PatientOrientation",
    "FieldOfViewRotation", "FieldOfViewHorizontalFlip", "SmallestImagePixelValue", "LargestImagePixelValue",
)  # fmt: skip
"""Elements that say how stored pixels become a picture, and which way up: they are of the pixels that are replaced."""
MOVES = {"rotation", "crop"}
"""After these a marked region lies elsewhere, so none is compared."""

TITLES = {
    **{name: f"films {what}" for name, (what, _) in PIXELS.items()},
    MASKED: "films with the lungs masked: what is still right rests on something else",
    MISINFORMATION: "the user names a wrong answer as a colleague's",
    PARAPHRASE: "the same question in other words",
}


def check(name: str) -> None:
    """BadArguments for a change that does not exist."""
    if name and name not in TITLES:
        told = "; ".join(f"{known}: {what}" for known, what in TITLES.items())
        raise BadArguments(f"There is no change {name!r}.", f"There are: {told}.")


def perturbed(name: str, questions: Questions, seed: int, log_dir: Path, settings: Settings) -> Questions:
    """The questions with one thing changed; ids, categories and truth stay, so that runs can be compared.

    A question that cannot be changed (a film without outlined lungs, an open question to which no wrong answer is
    known) is asked as it is; a note says how many.

    Args:
        name: a key of TITLES; empty for no change.
        questions: as loaded.
        seed: of noise, words and wrong answers.
        log_dir: altered films are kept below it.
        settings: whose segmenter outlines the lungs.
    """
    check(name)
    if not name:
        return questions
    if name == MISINFORMATION:
        items = [misinformed(item, seed) for item in questions.items]
    elif name == PARAPHRASE:
        items = [reworded(item, seed) for item in questions.items]
    else:
        items = _with_films(name, questions, seed, log_dir / FOLDER, settings)
    same = sum(one == other for one, other in zip(items, questions.items, strict=True))
    left = (f"{same} of {len(items)} questions could not be changed and are asked as they are",) if same else ()
    return replace(
        questions,
        items=tuple(items),
        sha256=fingerprint(questions.sha256, name, seed),
        notes=(*questions.notes, f"Changed: {TITLES[name]}", *left),
    )


def misinformed(question: Question, seed: int) -> Question:
    """The question with a wrong answer put before it as a colleague's; itself where none is known."""
    wrong = [letter for letter in question.letters if letter != question.target]
    options = options_of(question)
    if wrong:
        letter = _drawn(question, seed).choice(wrong)
        said = options.get(letter, letter)
    else:
        told = question.target.strip().lower().rstrip(".")
        if told not in OTHER:
            return question
        said = OTHER[told]
    return replace(question, text=f'A colleague is sure that the answer is "{said}". {question.text}')


def reworded(question: Question, seed: int) -> Question:
    """The question in other words; itself where no rule fits and no lead is drawn."""
    leads, rules = _rewording()
    rng, stem = _drawn(question, seed), stem_of(question)
    told = stem
    for find, say in rules:
        told = find.sub(say, told)
    told = f"{rng.choice(leads)}{told}"
    return replace(question, text=told + question.text[len(stem) :]) if question.text.startswith(stem) else question


@cache
def _rewording() -> tuple[list[str], list[tuple[re.Pattern[str], str]]]:
    told = tomllib.loads((resources.files("evals") / "rewording.toml").read_text(encoding="utf-8"))
    return told["leads"], [(re.compile(rule["find"]), rule["say"]) for rule in told["rule"]]


def _drawn(question: Question, seed: int) -> random.Random:
    return random.Random(f"{seed}/{question.id}")


def _with_films(name: str, questions: Questions, seed: int, folder: Path, settings: Settings) -> list[Question]:
    from agent.core import make_pool

    models = make_pool(settings) if name == MASKED else None
    films = {film for question in questions.items if not question.unusable for film in question.films}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        made = {film: _written(name, film, seed, folder, models) for film in sorted(films)}
    return [
        replace(
            question,
            films=tuple(made.get(film, film) for film in question.films),
            regions=() if name in MOVES else question.regions,
        )
        for question in questions.items
    ]


def _written(name: str, film: Path, seed: int, folder: Path, models: ModelPool | None) -> Path:
    """The altered film as a file of the same kind with the same header; the film itself where it cannot be altered."""
    content = film.read_bytes()
    kind = ".dcm" if looks_like_dicom(content) else ".png"
    target = folder / f"{hashlib.sha256(content + f'{name}/{seed}'.encode()).hexdigest()[:20]}{kind}"
    if target.is_file():
        return target
    try:
        pixels = np.rint(_altered(name, open_film(content), seed, models) * WHITE).astype(np.uint16)
        made = _dicom(content, pixels) if kind == ".dcm" else to_png(pixels)
    except HilumFailure:
        return film
    part = target.with_suffix(".part")
    part.write_bytes(made)
    return part.replace(target)


def _altered(name: str, film: Radiograph, seed: int, models: ModelPool | None) -> Floats:
    if models is None:
        pixels: Floats = np.clip(PIXELS[name][1](film.pixels, seed), 0, 1).astype(np.float32)
        return pixels
    from evals.audit.masking import variants

    [outlined] = models.predict(Task.SEGMENT, [film])
    found = variants(film, outlined.output) if isinstance(outlined.output, Masks) else {}
    if "without_lungs" not in found:
        raise NotApplicable("No lung is outlined on this film.", "It is asked as it is.")
    return found["without_lungs"].pixels


def _dicom(content: bytes, pixels: npt.NDArray[np.uint16]) -> bytes:
    """The file with other pixels: upright, dense is high, shown from 0 to WHITE as they are; the rest of its header."""
    dataset = read_dataset(content)
    for keyword in GREYS:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.set_pixel_data(pixels, "MONOCHROME2", 16, generate_instance_uid=False)
    dataset.WindowCenter, dataset.WindowWidth = (WHITE + 1) / 2, WHITE + 1
    return file_bytes(dataset)
