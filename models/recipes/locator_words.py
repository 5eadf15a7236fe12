"""The words of the embedded locator's card."""

from models.locator import CLASSES
from models.recipes.device_phantoms import PATIENTS, PICTURES, TAUGHT_PATIENTS, TAUGHT_PICTURES
from models.recipes.lesion_phantoms import TRAINING, VALIDATION

LABELS = {code: code.replace("_", " ") for code in CLASSES} | {
    "lung_opacity": "consolidation or infiltration", "lung_lesion": "nodule or mass", "ett": "endotracheal tube",
    "ng_tube": "nasogastric tube", "central_line": "central venous line",
}  # fmt: skip

UNFIT: dict[str, str] = {}
"""Why a class is withheld although its figures would let it pass."""

TRAINING_DATA = (
    f"Findings: {TRAINING} of this project's synthetic films with exact outlines (PA and AP, standing and supine, both "
    "processings, several findings and devices at once). From them attenuation maps were pasted over real films "
    "without findings, so that they are learnt on real texture. Devices and retained objects: "
    f"{TAUGHT_PATIENTS * TAUGHT_PICTURES} synthetic films of {TAUGHT_PATIENTS} patients with {TAUGHT_PICTURES} sets of "
    "devices each, some of these pasted over real films, too. Real films: JSRT "
    "(Shiraishi et al. 2000; nodules and their places), Montgomery County (US National Library of Medicine; Jaeger et "
    "al. 2014) and NIH ChestX-ray14 (Wang et al. 2017; text-mined labels), folds 2 to 4 of each, 924 films: of those "
    "without a finding the network learns that there is none, of those with a label only that it is somewhere. No real "
    "film with a device outlined was at hand, and no NIH box was trained on. Trunk: the embedded classifier's "
    "(EfficientNet-Lite0, ImageNet weights by Google, Apache-2.0, then chest films), trained further on such lessons. "
    "Devices are read by a network of their own (models/recipes/locator_fine.py), and where an endotracheal tube ends "
    f"by another, on strips of these films and of 160 real ones with such tubes pasted "
    "(models/recipes/locator_ends.py). The three parts of the shipped weights were trained side by side, and what "
    "the film as a whole says joined after 2,000 of the devices' steps; the recipes do the same one after the other, "
    "from the first step on."
)

MEASURED_ON = (
    "Phantoms of seeds never trained on, and real films of patients in none of its lessons: fold 0 of JSRT, "
    "Montgomery and NIH, and every patient of the NIH boxes. Thresholds: on fold 1, so that at most 5 % of real "
    "films labelled as without a finding (2 % for devices, 1 % for retained objects; each patient counts as one film; "
    "JSRT and Montgomery, and of NIH what its labels tell) and 10 % of phantoms without it (20 % for devices) are "
    "called present; scores between there and twice as many are called uncertain. Of devices and "
    "objects it goes up from there to where sensitivity and specificity on phantoms are best together, with half as "
    "many uncertain. Phantoms "
    f"of devices and objects: {PATIENTS} patients with {PICTURES} sets of devices each to choose thresholds on, as "
    f"many others to measure on. Outlines' values: by Dice on {VALIDATION} further phantoms, devices' on those with "
    "devices. Intervals: 95 % bootstrap over films (AUROC: over patients). Pointing: the map's highest cell "
    "lies within the truth or 2 % of the film beside it. NIH films whose side or devices were read by eye are read by "
    "the author of the recipe, no radiologist, from small pictures (models/recipes/read_by_eye.toml)."
)

SCORE_MEANING = (
    "Uncalibrated: sigmoid of the mean of a map's 24 highest cells; an endotracheal tube's is multiplied by how "
    "certain the network is of its tip. It ranks films for one class; it is no probability, and scores of two classes "
    "cannot be compared."
)

LIMITS = (
    "Devices and retained objects were learnt from synthetic ones. Real ones were looked for on 48 bedside films only, "
    "read by eye by no radiologist (the table below): it missed most central lines, which come from the neck or the "
    "arm there and from below the clavicle on phantoms, and took wires for drains. Real tubes and lines vary far more "
    "than the phantom's (no tracheostomy, no ports, no jugular or arm lines, one kind of pacemaker).",
    "A retained object is looked for as a sponge with a thread or a curved needle; others are not known to it. "
    "Surgical clips and electrodes look most like them. 'Not seen' excludes nothing.",
    "Classes whose row says 'no' are not told by any tool.",
    "Its square is 640 pixels, and half of that for findings: they are read in cells of about 1 cm, devices of about "
    "2.5 mm: small nodules and thin lines on large films are lost.",
    "The classes of disease were trained for 1,600 steps of 8 films only.",
    "The tip of an endotracheal tube is told only where the network is certain of it (the class's row). No real tube's "
    "tip was measured.",
    "A pneumothorax is outlined where no lung is left behind it; air before the lung has no edge on a frontal film.",
    "Its trunk, taken from the embedded classifier, was taught before on all films of JSRT, with the places of their "
    "nodules, and of Montgomery, fold 0 included: its figures on these two sets are not of films the network never "
    "saw.",
    "Labels of NIH are mined from reports and wrong at times; the films without finding among them are so too.",
    "Frontal films of adults only.",
)

REFERENCES = (
    "Wang X et al. ChestX-ray8. CVPR 2017",
    "Shiraishi J et al. AJR 2000;174:71-74 (JSRT)",
    "Zhang J et al. IJCV 2018;126:1084-1102 (pointing game)",
    "Goodman LR et al. AJR 1976;127:433-434 (position of endotracheal tubes)",
)

SIDES = {
    "effusion": {
        "side_from": 0.5,
        "side_evidence": "On 10 of 14 NIH films with an effusion on one side, read by eye by no radiologist, its map "
        "is as uneven; the higher side was the effusion's on all 10. The limit was chosen on 9 such films of other "
        "patients with earlier weights; of these, 7 are as uneven now, and right.",
    }
}
"""Classes whose map may tell the side where their outline may not be told: from what difference in log odds of its
highest values on, and what that was worth, on the films of read_by_eye.toml (`effusion_side`; chosen on
`effusion_side_tuning`)."""
