"""What the tool `measure` measures: one function per code of tools/knowledge/measurements.toml, each on a Sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from tools.contract import Status
from tools.knowledge import measurement
from tools.measurements import airway, aorta, devices, heart, lesions, lungs, mediastinum, technique
from tools.measurements.chain import Measurement, NotMeasured, Quantity, Step, StepKind
from tools.measurements.sheet import Sheet, begun

TASKS: Mapping[str, Callable[[Sheet], Measurement]] = MappingProxyType(
    {
        "cardiothoracic_ratio": heart.cardiothoracic_ratio,
        "mediastinal_width": mediastinum.mediastinal_width,
        "aortic_knob": aorta.aortic_knob,
        "ascending_aorta": aorta.ascending_aorta,
        "descending_aorta": aorta.descending_aorta,
        "descending_aorta_tortuosity": aorta.descending_aorta_tortuosity,
        "tracheal_deviation": airway.tracheal_deviation,
        "carina_angle": airway.carina_angle,
        "costophrenic_angles": lungs.costophrenic_angles,
        "lung_areas": lungs.lung_areas,
        "diaphragm_levels": lungs.diaphragm_levels,
        "inclusion": technique.inclusion,
        "inspiration": technique.inspiration,
        "rotation": technique.rotation,
        "projection": technique.projection,
        "pneumothorax_size": lungs.pneumothorax_size,
        "effusion_height": lesions.effusion_height,
        "lesion_diameter": lesions.lesion_diameter,
        "tube_tip": devices.tube_tip,
    }
)
"""In the order in which they are told."""


def measured(sheet: Sheet, codes: Iterable[str] = tuple(TASKS)) -> list[Measurement]:
    """Each measurement asked for, in the order of TASKS; one that cannot be made says why."""
    wanted = set(codes)
    return [_one(sheet, code) for code in TASKS if code in wanted]


def _one(sheet: Sheet, code: str) -> Measurement:
    try:
        done = TASKS[code](sheet)
    except NotMeasured as reason:
        done = begun(measurement(code))
        done.measured, done.reason, done.status = False, str(reason), Status.NOT_ASSESSED
        done.sentences = [f"{done.title} is not measured: {reason}"]
    return done


__all__ = ["TASKS", "Measurement", "NotMeasured", "Quantity", "Sheet", "Step", "StepKind", "measured"]
