"""The words of the embedded segmenter's card."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.networks import SEGMENTER_SIDE, STRUCTURES
from models.preprocess import INPUT_MEAN, INPUT_SCALE, TONE_PERCENTILES
from models.recipes.cards import INITIALISATION

LUNGS = "lungs"
"""Both lungs together, among the figures."""

TRAINING_DATA = (
    "Lungs, heart, clavicles: JSRT films with SCR outlines (Shiraishi et al. 2000; van Ginneken et al. 2006; research "
    "use with attribution) and Montgomery County films (US National Library of Medicine; Jaeger et al. 2014, Candemir "
    "et al. 2014), the latter for lungs only: folds 1 to 4 of both, 148 + 90 films. Encoder initialised from "
    + INITIALISATION
    + "; its stem and first two stages were kept as they were. These structures and their branch are those of the "
    "first version (revision 7dadd536d838), unchanged. Mediastinum, aorta, trachea, spine, ribs and diaphragm: 160 of "
    "this project's synthetic films with exact masks (100 of the phantom as it was at commit 353d39d, 40 at c93b86a, "
    "20 at 0f55b38; PA and AP, with and without findings and devices), mixed with the same real films. Nobody outlined "
    "these structures on the real films: there the network was only told what the hand-drawn lungs say of them "
    "(models/recipes/surroundings.py). 690 batches of 4 + 4 films in three legs (400 without the surroundings, 140, "
    "150), two cores."
)

MEASURED_ON = (
    "Held-out patients (fold 0) of JSRT and Montgomery, and all Shenzhen films (external, never trained on; their "
    "masks may be CC BY-NC-SA and were only measured against). Phantoms are this project's synthetic films, with "
    "exact masks, PA and AP, normal and with findings and devices, of seeds never trained on. Dice in each film's own "
    "pixels after clean-up; 95% intervals by bootstrap over films. Thresholds of lungs and clavicles were chosen on "
    "fold 1 by the first version, the others on 10 further phantoms; the heart's on folds 1 to 4, so that the "
    "cardiothoracic ratio has no bias there (0.45; it was 0.6, by Dice on fold 1). Ratio less that of exact outlines, "
    "before and after: 52 films of fold 0 -0.003 and 0.001 (mean size 0.010 and 0.009), 25 further phantoms with "
    "ratios above 0.6 -0.013 and -0.009 (0.015 and 0.012; largest 0.032 and 0.027): large hearts are still measured "
    "too small. No real film with outlines of mediastinum, aorta, trachea, spine, ribs or diaphragm was at hand: "
    "their Dice is of phantoms only. The checks say where these lie beside lungs drawn by hand; the training was told "
    "of the same relations, on other patients. One branch for all structures was tried first and refused: on fold 1 "
    "it cost the heart 0.011 and the clavicles 0.013 to 0.019 Dice. The phantoms are of the generator of 2026-11-28; "
    "lungs, heart, mediastinum and breath were changed since the training. Those of the generator trained on had "
    "given: lungs 0.946 and 0.950, heart 0.915, clavicles 0.698 and 0.683, mediastinum 0.953, aorta 0.896, trachea "
    "0.908, spine 0.935, ribs 0.859, hemidiaphragms 0.959 and 0.972."
)

LIMITS = (
    "Mediastinum, aorta, trachea, spine, ribs and diaphragm were learnt from synthetic films; no real mask was at hand "
    "to measure them on. Look at the outline before using it.",
    "On 12 real films looked at, ribs came out as most of the rib cage, with gaps between some ribs only: no single "
    "rib can be counted or measured, and below the diaphragm they are ragged.",
    "On real films aorta, trachea and spine are narrow bands in about the right place; their edges are not to be "
    "measured, and the aorta is guessed inside the mediastinum. The mediastinum includes the heart, as on the phantom, "
    "and at times runs on below the diaphragm.",
    "A hemidiaphragm is the area under the dome down to the film's edge: its upper edge is what counts. On bedside "
    "films and with dense bases it is often broken, or missing on one side.",
    "Frontal films of adults; lateral films and small children give meaningless outlines.",
    "Lungs exclude the part behind the heart and the diaphragm (the JSRT/SCR definition).",
    "Heart and clavicles were learnt and measured on JSRT only: digitised PA films of one era; on AP bedside films, "
    "with devices, or with large effusions they were not measured.",
    "On a few of the bedside and bordered films looked at, the heart comes out broken or too small: its width is then "
    "wrong. Shenzhen lungs on the left side reach Dice as low as 0.47 on single films.",
    "Dense opacity that reaches the chest wall or the diaphragm may be cut out of the lung, or the lung guessed "
    "through it: such films are few in the training sets and were imitated by drawn opacities.",
    "One piece per structure but the ribs: a lung split by disease loses its smaller part.",
    "Clavicles are thin on the 256-pixel square (about 1.4 mm each): good for orientation, not for measuring.",
    "On this project's phantoms hearts and clavicles are outlined worse than on real films (see their Dice).",
)

REFERENCES = (
    "Shiraishi J et al. AJR 2000;174:71-74 (JSRT)",
    "van Ginneken B, Stegmann MB, Loog M. Med Image Anal 2006;10:19-40 (SCR)",
    "Jaeger S et al. Quant Imaging Med Surg 2014;4:475-477; Candemir S et al. IEEE TMI 2014;33:577-590",
    "Tan M, Le Q. EfficientNet. ICML 2019 (Lite variants: Google)",
    "Ronneberger O et al. U-Net. MICCAI 2015",
)


def describe(
    identity: Mapping[str, Any],
    thresholds: Sequence[float],
    measured: Sequence[Mapping[str, dict[str, Any]]],
    checks: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The whole card; `measured` holds the Dice of each set, `checks` what real films say of the other structures."""
    return {
        **identity,
        "task": "segment",
        "title": "Embedded segmenter of twelve structures",
        "licence": "Apache-2.0",
        "source": "EfficientNet-Lite0, light U-shaped decoder; "
        "trained by this project's recipe; shipped in the repository",
        "training_data": TRAINING_DATA,
        "intended_use": "Research and teaching on frontal chest radiographs of adults; not a medical device.",
        "score_kind": "mask_probability",
        "score_meaning": "Per-pixel probability of each structure, not calibrated; masks cut it at `threshold`.",
        "limits": list(LIMITS),
        "references": list(REFERENCES),
        "reproduce": "python -m models.recipes.segmenter --cache FOLDER",
        "measured_on": MEASURED_ON,
        "input": {
            "size_px": SEGMENTER_SIDE,
            "channels": 1,
            "mean": INPUT_MEAN,
            "scale": INPUT_SCALE,
            "tone_percentiles": list(TONE_PERCENTILES),
        },
        "structures": [
            {"code": name, "threshold": threshold, "dice": [rows[name] for rows in measured if name in rows]}
            for name, threshold in zip(STRUCTURES, thresholds, strict=True)
        ],
        "lungs_together": [rows[LUNGS] for rows in measured if LUNGS in rows],
        "checks": list(checks),
    }
