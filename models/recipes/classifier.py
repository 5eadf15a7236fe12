"""Fits and measures the embedded classifier: python -m models.recipes.classifier [--data DIR] [--out DIR].

The trunk is EfficientNet-Lite0 as trained on ImageNet, its late stages then on synthetic and other real chest films
(models.recipes.pretraining); a branch scores cells (models.recipes.classifier_peaks). The head is solved in closed form
from two ridge regressions on averaged features, to the NIH labels and to CheXNet's published predictions. A correction
on averages and peaks then teaches it synthetic films' findings, to be right at the real films' thresholds.
"""

import argparse
import time
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from safetensors.torch import load_file

from models.networks import AVERAGES, CLASSIFIER_SIDE, FINDINGS, Classifier, load_classifier
from models.preprocess import INPUT_MEAN, INPUT_SCALE, TONE_PERCENTILES
from models.recipes.cards import halved, write_card, write_weights
from models.recipes.classifier_columns import Drawn, drawn_films, features_of, film_features
from models.recipes.classifier_peaks import with_peaks
from models.recipes.classifier_words import (
    CORRECTION_SETS,
    HELD_OUT_PHANTOMS,
    HELD_OUT_SETS,
    LIMITS,
    LOCALISATION,
    MEASURED_ON,
    REFERENCES,
    SCORE_MEANING,
    TAUGHT,
    TRAINING_DATA,
)
from models.recipes.data import FOLDS, NIH_LABELS, LabelledFilms, nih_films, read_grey
from models.recipes.findings_phantoms import make_sets
from models.recipes.phantoms import HELD_OUT_SEED, make_phantoms
from models.recipes.pretraining import chest_network
from models.recipes.statistics import (
    Counts,
    Floats,
    Interval,
    Platt,
    auprc,
    auroc,
    calibration_error,
    cross_fitted,
    fit_platt,
    operating_rates,
    patient_weights,
    resampled,
    roc_points,
    youden,
)

NAME = "embedded-classifier"
LABEL_RIDGE = 40.0
REFERENCE_RIDGE = 0.6
"""Penalties per feature, chosen by the cross-validated mean AUROC among 10 to 80 and 0.2 to 2.4 (a flat optimum)."""

LABEL_SHARE = 6.0
"""Weight of the labels' regression beside the distilled one, both to standardised targets (chosen among 1 to 8)."""

REFERENCE_FLOOR = 1e-4
"""CheXNet's probabilities are clipped here before their logit is taken."""

PHANTOM_RIDGE = 0.6
PHANTOM_WEIGHT = 1.0
"""Penalty per feature, and weight of a synthetic film beside a real one, of the correction that teaches phantoms;
chosen among 0.6 to 5, and 0.5 to 2, on the NIH folds and the held-out phantoms."""

PEAK_SCALE = 10.0
"""The peaks' columns count so much more in the correction's penalty than an average's (chosen among 10 to 100)."""

PHANTOM_LOW, PHANTOM_HIGH = -0.6, 4.0
"""Synthetic films are taught to land this far from the real films' mean logit, without and with the finding (uneven
because those without are many): so they fall on the right side of the real films' thresholds, without their own."""

LEAST_POSITIVES = 20
"""With fewer positive films neither the head nor its threshold can be trusted (set by the project)."""

CHANCE = 0.5

BAND = (10.0, 90.0)
BAND_RESAMPLES = 500
"""The uncertain band holds the middle 80% of the best thresholds over this many resamples of patients."""


@dataclass(frozen=True)
class Head:
    """A linear head on raw features: logits = features @ weight.T + bias."""

    weight: Floats
    bias: Floats

    def __call__(self, features: Floats) -> Floats:
        """Raw logits [N, 14] of features [N, F]."""
        return features @ self.weight.T + self.bias


def ridge(features: Floats, targets: Floats, penalty: float, weights: Floats | None = None) -> Floats:
    """Ridge regression in its dual form (fewer films than features) on centred features: slopes [F, T].

    Each row counts as often as its weight says.
    """
    root = np.ones((len(features), 1)) if weights is None else np.sqrt(weights)[:, None]
    inner = features * root
    kernel = inner @ inner.T + penalty * features.shape[1] * np.eye(len(inner))
    return inner.T @ np.linalg.solve(kernel, targets * root)


def standardised(values: Floats) -> Floats:
    """Columns with mean 0 and deviation 1."""
    return (values - values.mean(axis=0)) / values.std(axis=0)


def correction(scaled: Floats, drawn: Floats, missing: Floats) -> Floats:
    """Slopes [C, 14] to add so that synthetic films gain the logits they miss while real training films gain nothing.

    Only the TAUGHT findings change.
    """
    taught = np.isin(FINDINGS, TAUGHT)
    weights = np.concatenate((np.ones(len(scaled)), np.full(len(drawn), PHANTOM_WEIGHT)))
    targets = np.concatenate((np.zeros((len(scaled), len(TAUGHT))), missing[:, taught]))
    slopes = np.zeros((scaled.shape[1], len(FINDINGS)))
    slopes[:, taught] = ridge(np.concatenate((scaled, drawn)), targets, PHANTOM_RIDGE, weights)
    return slopes


def fit_head(features: Floats, labels: Floats, reference: Floats, drawn: Floats, truth: Floats) -> Head:
    """The head of labels [N, 14] and CheXNet's probabilities [N, 14] (NaN rows where there are none).

    `drawn` [M, F] are the features of synthetic films, `truth` [M, 14] what was put into them.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    spread[AVERAGES:] = (drawn[:, AVERAGES:].std(axis=0) + 1e-6) / PEAK_SCALE
    columns, synthetic = (features - centre) / spread, (drawn - centre) / spread
    scaled = columns[:, :AVERAGES]
    taught = ~np.isnan(reference).any(axis=1)
    chance = np.clip(reference[taught], REFERENCE_FLOOR, 1 - REFERENCE_FLOOR)
    soft_centre = scaled[taught].mean(axis=0)
    soft = ridge(scaled[taught] - soft_centre, standardised(np.log(chance / (1 - chance))), REFERENCE_RIDGE)
    slopes = LABEL_SHARE * ridge(scaled, standardised(labels), LABEL_RIDGE) + soft
    missing = np.where(truth == 1, PHANTOM_HIGH, PHANTOM_LOW) - (synthetic[:, :AVERAGES] @ slopes - soft_centre @ soft)
    whole = correction(columns, synthetic, missing)
    whole[:AVERAGES] += slopes
    slopes = whole / spread[:, None]
    prevalence = labels.mean(axis=0)
    offset = soft_centre @ soft + centre @ slopes
    return Head(slopes.T, np.log(prevalence / (1 - prevalence)) - offset)


def cross_validated(features: Floats, films: LabelledFilms, drawn: Floats, truth: Floats) -> Floats:
    """Raw logits [N, 14] of every real film from a head that saw neither it nor any film of its patient."""
    logits = np.zeros(films.labels.shape)
    for fold in range(FOLDS):
        here = films.folds == fold
        labels, reference = films.labels[~here].astype(float), films.reference[~here].astype(float)
        head = fit_head(features[~here], labels, reference, drawn, truth)
        logits[here] = head(features[here])
    return logits


def usable(area: Interval, positives: int) -> str:
    """Why a finding may not be reported; empty when it may."""
    if positives < LEAST_POSITIVES:
        return f"only {positives} films with it to learn from and measure on (at least {LEAST_POSITIVES} are needed)"
    if area.low <= CHANCE:
        return f"no better than chance can be excluded: AUROC {area.value:.2f} ({area.low:.2f} to {area.high:.2f})"
    return ""


def uncertain_band(truth: Floats, probabilities: Floats, weights: Counts) -> tuple[float, float]:
    """Where the best threshold falls in the middle 80% of resamples of patients: within it, the call is a toss-up."""
    found = []
    for row in weights[:BAND_RESAMPLES]:
        kept = row > 0
        if truth[kept].any():
            found.append(youden(truth[kept], probabilities[kept], row[kept]))
    low, high = np.percentile(found, BAND)
    return float(low), float(high)


def finding_card(index: int, films: LabelledFilms, logits: Floats, weights: Counts) -> dict[str, Any]:
    """Every figure of one finding, from out-of-fold logits [N] of the whole sample."""
    truth, reference = films.labels[:, index].astype(float), films.reference[:, index].astype(float)
    taught = ~np.isnan(reference)
    area = resampled(auroc, truth, logits, weights)
    platt = fit_platt(truth, logits)
    honest = cross_fitted(truth, logits, films.folds)
    final = platt(logits)
    threshold = youden(truth, final, np.ones(len(truth), dtype=np.int64))
    low, high = uncertain_band(truth, final, weights)
    sensitivity, specificity = operating_rates(truth, final, threshold)
    each = np.ones(int(taught.sum()), dtype=np.int64)
    positives = int(truth.sum())
    reason = usable(area, positives)
    return {
        "code": FINDINGS[index],
        "label": NIH_LABELS[index],
        "usable": not reason,
        "reason": reason,
        "positives": positives,
        "negatives": len(truth) - positives,
        "auroc": asdict(area),
        "auprc": asdict(resampled(auprc, truth, logits, weights)),
        "reference_auroc": auroc(truth[taught], reference[taught], each),
        "auroc_on_reference_films": auroc(truth[taught], logits[taught], each),
        "reference_films": int(taught.sum()),
        "reference_positives": int(truth[taught].sum()),
        "ece_before": calibration_error(truth, Platt(1.0, 0.0)(logits)),
        "ece_after": calibration_error(truth, honest),
        "threshold": threshold,
        "uncertain_low": min(low, threshold),
        "uncertain_high": max(high, threshold),
        "share_uncertain": float(((final >= min(low, threshold)) & (final <= max(high, threshold))).mean()),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "roc": roc_points(truth, final),
        "platt": asdict(platt),
    }


def phantom_card(index: int, row: dict[str, Any], logits: Floats, drawn: Drawn) -> dict[str, Any]:
    """Figures of one finding on held-out synthetic films, with the real films' calibration and threshold.

    Logits [N] are of the delivered head. Findings that the phantom cannot show have only the share called absent.
    """
    present, clear = drawn.labels[:, index] == 1, drawn.clear[:, index]
    normal = drawn.labels.sum(axis=1) == 0
    called = Platt(**row["platt"])(logits) >= row["threshold"]
    figures: dict[str, Any] = {"phantom_absent_on_normal": float(1 - called[normal].mean())}
    if present.any():
        each = np.ones(len(logits), dtype=np.int64)
        figures |= {
            "phantom_positives": int(present.sum()),
            "phantom_auroc": auroc(present.astype(float), logits, each),
            "phantom_sensitivity": float(called[present].mean()),
            "phantom_clear": int(clear.sum()),
            "phantom_sensitivity_clear": float(called[clear].mean()) if clear.any() else 0.0,
            "phantom_specificity": float(1 - called[~present].mean()),
        }
    return figures


def describe(identity: dict[str, Any], findings: list[dict[str, Any]], films: LabelledFilms) -> dict[str, Any]:
    """The whole card."""
    good = [row for row in findings if row["usable"]]

    def mean(key: str) -> float:
        return float(np.mean([row[key] if isinstance(row[key], float) else row[key]["value"] for row in good]))

    return {
        **identity,
        "task": "classify",
        "title": "Embedded classifier of fourteen findings",
        "licence": "Apache-2.0",
        "source": "EfficientNet-Lite0 taught on phantoms, distilled head; "
        "trained by this project's recipe; shipped in the repository",
        "training_data": TRAINING_DATA,
        "intended_use": "Research and teaching on frontal chest radiographs of adults; not a medical device.",
        "score_kind": "calibrated_probability",
        "score_meaning": SCORE_MEANING,
        "references": list(REFERENCES),
        "reproduce": "python -m models.recipes.classifier --keep-trunk",
        **told(films),
        "localisation": dict(LOCALISATION),
        "mean_auroc_usable": mean("auroc"),
        "mean_auroc_usable_on_reference_films": mean("auroc_on_reference_films"),
        "mean_reference_auroc_usable": mean("reference_auroc"),
        "input": {
            "size_px": CLASSIFIER_SIDE,
            "channels": 1,
            "mean": INPUT_MEAN,
            "scale": INPUT_SCALE,
            "tone_percentiles": list(TONE_PERCENTILES),
        },
        "findings": findings,
    }


def stored(out: Path) -> Classifier:
    """The classifier as it lies in a folder."""
    return load_classifier(load_file(out / f"{NAME}.safetensors"))


def store(network: Classifier, head: Head, out: Path) -> dict[str, Any]:
    """Store the network with its head and return the card's fields that identify the file."""
    network.head.weight.data.copy_(torch.from_numpy(head.weight))
    network.head.bias.data.copy_(torch.from_numpy(head.bias))
    return write_weights(halved(network, whole=("head.",)), out, NAME)


def measured_again(films: LabelledFilms, out: Path, cache: Path | None) -> None:
    """Measure the stored weights on synthetic films made anew, and write what the card says of those."""
    card = tomllib.loads((out / f"{NAME}.toml").read_text(encoding="utf-8"))
    network = stored(out).to(memory_format=torch.channels_last)
    head = Head(network.head.weight.double().numpy(), network.head.bias.double().numpy())
    held_out = held_out_films(network, cache)
    logits = head(held_out.features)
    card["findings"] = [
        {**row, **phantom_card(index, row, logits[:, index], held_out)} for index, row in enumerate(card["findings"])
    ]
    write_card({**card, **told(films)}, out)


def held_out_films(network: Classifier, cache: Path | None) -> Drawn:
    """The synthetic films that nothing was learnt from, as the head sees them."""
    simple = make_phantoms(HELD_OUT_SEED, HELD_OUT_PHANTOMS, cache)
    return drawn_films(network, simple, make_sets(HELD_OUT_SETS, cache))


def told(films: LabelledFilms) -> dict[str, Any]:
    """What the card says in words of how it was measured and where it fails."""
    patients = len(np.unique(films.patients))
    return {"measured_on": MEASURED_ON.format(films=len(films.labels), patients=patients), "limits": list(LIMITS)}


def main() -> None:
    """Cross-validate, calibrate, fit on everything, and store weights and card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, help="folder that keeps phantoms and pretrained stages between runs")
    parser.add_argument("--keep-trunk", action="store_true", help="fit a new head on the stored network's trunk")
    parser.add_argument("--phantoms-only", action="store_true", help="measure the stored weights on phantoms again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    films = nih_films(arguments.data)
    if arguments.phantoms_only:
        measured_again(films, arguments.out, arguments.cache)
        return
    network = (stored(arguments.out) if arguments.keep_trunk else chest_network(arguments.data, arguments.cache)).to(
        memory_format=torch.channels_last
    )
    network = with_peaks(network, arguments.data, arguments.cache)
    features = film_features(network, (read_grey(arguments.data / name) for name in films.files), len(films.files))
    drawn = features_of(network, make_sets(CORRECTION_SETS, arguments.cache))
    held_out = held_out_films(network, arguments.cache)
    logits = cross_validated(features, films, drawn.features, drawn.labels)
    weights = patient_weights(films.patients)
    findings = [
        finding_card(index, films, logits[:, index], weights)
        for index in track(range(len(FINDINGS)), description="figures")
    ]
    labels, reference = films.labels.astype(float), films.reference.astype(float)
    head = fit_head(features, labels, reference, drawn.features, drawn.labels)
    synthetic = head(held_out.features)
    findings = [
        {**row, **phantom_card(index, row, synthetic[:, index], held_out)} for index, row in enumerate(findings)
    ]
    card = describe(store(network, head, arguments.out), findings, films)
    write_card(card, arguments.out)
    for row in findings:
        print(row["code"], row["usable"], row["auroc"], row["reference_auroc"], row["ece_before"], row["ece_after"])
        print("   ", {key: value for key, value in row.items() if key.startswith("phantom")})
    print(f"mean AUROC over usable findings {card['mean_auroc_usable']:.3f}; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
