"""The sections of docs/data.md: which embedded weights were trained and measured on what, from their cards."""

from __future__ import annotations

from models.catalog import Catalog, SourceKind
from models.pool import ModelPool


def data_table(pool: ModelPool, catalog: Catalog) -> str:
    """Markdown: each weight file that Hilum ships, with its licence, training data and how it is made again.

    Args:
        pool: gives the cards.
        catalog: names the models.
    """
    # Several entries may read one file; the first, whose recipe made it, stands for all.
    shipped = {
        entry.source.file: entry for entry in reversed(list(catalog)) if entry.source.kind is SourceKind.EMBEDDED
    }
    sections = []
    for entry in reversed(shipped.values()):
        card = pool.card(entry.id)
        sections.append(
            f"### {entry.id}\n\nRevision `{card.revision}` · {card.licence} · made by `{card.reproduce}`\n\n"
            f"{card.training_data}"
        )
    return "\n\n".join(sections)
