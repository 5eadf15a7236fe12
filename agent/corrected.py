"""The user's corrections of outlines in a session that is opened again: read from the evidence they left."""

from __future__ import annotations

from collections.abc import Iterable

from agent.answer import Evidence
from imaging.failures import BadArguments
from tools.contract.corrections import Correction, Corrections


def restored(records: Iterable[Evidence]) -> Corrections:
    """The corrections that these records made, in their order; see tools.segment.CorrectionMade."""
    corrections = Corrections()
    for record in records:
        made = record.data.get("correction") if record.failure is None else None
        if not made or len(record.image_ids) != 1:
            continue
        [image_id], code = record.image_ids, str(made["code"])
        if made["undone"]:
            try:
                corrections.forget(image_id, code)
            except BadArguments:
                continue  # taken back twice
        else:
            mask = next(overlay.as_mask() for overlay in record.overlays if overlay.label == code)
            corrections.put(image_id, code, Correction(mask, str(made["how"]), str(made["by"])))
    return corrections
