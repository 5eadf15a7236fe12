"""`hilum docs --pictures`: pictures of docs/ that are drawn from the code and from what the tools give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from models.pool import ModelPool
from ui.pages.rooms import rooms_picture
from ui.pages.tools_drawn import SHOWINGS, tool_picture
from ui.pages.way import way_picture

ROOT = Path(__file__).resolve().parents[2]


def draw_all(folder: Path) -> Iterator[Path]:
    """Draw each picture into `folder`; its path as it is done."""
    drawings: dict[str, Callable[[], str]] = {"rooms.svg": lambda: rooms_picture(ROOT), "way.svg": way_picture}
    for name, draw in drawings.items():
        (folder / name).write_text(draw(), encoding="utf-8")
        yield folder / name
    pool = ModelPool(device="cpu", profile="embedded")
    (folder / "tools").mkdir(exist_ok=True)
    for name in SHOWINGS:
        with TemporaryDirectory() as home:
            drawn = tool_picture(name, pool, Path(home))
        (folder / "tools" / f"{name}.jpg").write_bytes(drawn)
        yield folder / "tools" / f"{name}.jpg"
