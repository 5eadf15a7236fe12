"""Small pictures that a result brings along beside its overlays, such as thumbnails of other films.

The screen shows every list in a result's data whose items are `Shown`, whichever tool made it.
"""

from __future__ import annotations

from pydantic import BaseModel, Field


class Shown(BaseModel):
    """One picture with its words."""

    png: str = Field(description="base64 of a PNG")
    caption: str = Field(description="what it is, in a few words")
    quoted: str = Field(default="", description="text from outside that belongs to it, as of a report")
