"""Small pictures that a result brought along (tools.contract.pictures.Shown), as a strip of HTML. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def strip(data: Mapping[str, Any]) -> str:
    """Every picture in a result's data with its caption and quoted words, in order; empty where there is none."""
    shown = [item for value in data.values() if isinstance(value, list) for item in value if _is_shown(item)]
    if not shown:
        return ""
    return f'<ul class="shown" aria-label="Pictures of this evidence">{"".join(map(_item, shown))}</ul>'


def _is_shown(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("png"), str)
        and isinstance(item.get("caption"), str)
        and BASE64.fullmatch(item["png"]) is not None
    )


def _item(item: Mapping[str, Any]) -> str:
    quoted = " ".join(str(item.get("quoted") or "").split())
    words = f"<q>{escape(quoted)}</q>" if quoted else ""
    picture = f'<img src="data:image/png;base64,{item["png"]}" alt="{escape(item["caption"])}">'
    return f"<li>{picture}<span>{escape(item['caption'])}{words}</span></li>"
