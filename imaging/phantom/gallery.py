"""The gallery picture of docs/phantom.md: synthetic films only.

python -m imaging.phantom.gallery docs/images/phantom_gallery.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imaging.phantom.film import make_phantom
from imaging.phantom.findings import parse_finding
from imaging.phantom.spec import PhantomSpec
from imaging.radiograph import View

TILES: tuple[tuple[str, ...], ...] = (
    (),
    ("LATERAL",),
    ("mass:left:lower:50mm",),
    ("LATERAL", "mass:left:lower:50mm"),
    ("effusion:left:600ml",),
    ("pneumothorax:right:35%",),
    ("pneumothorax:left:60%:tension",),
    ("AP", "effusion:left:900ml"),
    ("consolidation:right:lower:90mm",),
    ("consolidation:right_upper_lobe",),
    ("consolidation:right_middle_lobe",),
    ("nodule:left:upper:22mm",),
    ("mass:right:middle:60mm",),
    ("cavity:right:45mm",),
    ("cavity:left:60mm:fluid_level",),
    ("cardiomegaly:0.60",),
    ("edema:0.3",),
    ("edema:0.9",),
    ("infiltration:left:upper:110mm",),
    ("atelectasis:right:lower:0.35",),
    ("atelectasis:right:upper:0.9",),
    ("emphysema:0.9",),
    ("fibrosis:0.8",),
    ("pleural_thickening:left:18mm",),
    ("hernia:80mm",),
    ("fracture:right:rib5:posterior:12mm",),
    ("retained_sponge:right:60mm",),
    ("retained_needle:left:40mm",),
    ("ett:45mm", "ng_tube"),
    ("central_line:right",),
    ("pacemaker:left",),
    ("chest_drain:right", "pneumothorax:right:15%"),
)
"""Findings of the gallery's tiles, after the view where it is not PA; the first is normal."""

COLUMNS = 4
CAPTION = 18
"""Height in pixels of the strip under each tile."""

COLOURS = 48
"""Grey levels kept, which keeps the file small."""


def gallery(
    path: str | Path, tiles: Sequence[tuple[str, ...]] = TILES, size: int = 240, seed: int = 2, drawn: int = 2
) -> None:
    """Write a PNG with one film of the same patient per tile, each computed at `drawn` times its `size` pixels."""
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * size, rows * (size + CAPTION)), 0)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, texts in enumerate(tiles):
        view = next((view for view in View if view.value in texts), View.PA)
        findings = tuple(parse_finding(text) for text in texts if text != view.value)
        film = make_phantom(
            PhantomSpec(seed=seed, view=view, size=size * drawn, findings=findings, processing="digital")
        )
        tile = Image.fromarray(np.round(film.radiograph.pixels * 255).astype(np.uint8))
        x, y = number % COLUMNS * size, number // COLUMNS * (size + CAPTION)
        sheet.paste(tile.resize((size, size), Image.Resampling.LANCZOS), (x, y))
        pen.text((x + 4, y + size + 2), ", ".join(texts) or "normal", fill=255, font=font)
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="file to write, .png")
    target = parser.parse_args().out
    if target.suffix != ".png" or not target.parent.is_dir():
        parser.error(f"{target} is no .png file in a folder that exists")
    gallery(target)
