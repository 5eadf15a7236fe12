"""The shipped catalog against the installed torchxrayvision, and what a wrong catalog is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from catalog_entries import entry
from pydantic import ValidationError

from imaging.failures import BadArguments
from models.catalog import Catalog
from models.outputs import Task

TXRV = [item for item in Catalog.read() if item.adapter == "torchxrayvision"]


def test_every_classifier_weight_name_of_torchxrayvision_is_listed() -> None:
    """Expected: the keys of the package's own table that name an architecture."""
    xrv = pytest.importorskip("torchxrayvision")
    named = {name for name in xrv.models.model_urls if name.startswith(("densenet", "resnet50"))}
    assert {item.weights for item in TXRV} == named and len(TXRV) == 8


@pytest.mark.parametrize("item", TXRV, ids=lambda item: item.id)
def test_addresses_labels_and_sizes_are_those_of_the_package(item) -> None:
    """Expected: the package's own table; labels in its order, without "" and without those whose threshold is NaN."""
    xrv = pytest.importorskip("torchxrayvision")
    table = xrv.models.model_urls[item.weights]
    meant = [
        label for label, threshold in zip(table["labels"], table["op_threshs"], strict=True)
        if label and not np.isnan(threshold)
    ]  # fmt: skip
    assert list(item.labels) == meant
    assert item.source.url == table["weights_url"]
    assert item.source.file == table["weights_url"].rsplit("/", 1)[1]
    assert item.input_size == table["input_resolution"]


@pytest.mark.parametrize("model_id", ["txrv-densenet121-res224-all", "txrv-resnet50-res512-all"])
def test_minimum_bytes_are_the_float32_numbers_of_the_network(model_id: str, txrv_dir: Path) -> None:
    """Expected: four bytes for each floating-point number in the state dict of the package's (random) network."""
    from models.adapters.torchxrayvision import load
    from models.describe import describe
    from models.weights import locate

    item = Catalog.read().get(model_id)
    presence = locate(item, txrv_dir)
    network = load(item, describe(item, presence), presence.path, "cpu").network
    numbers = sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())
    assert item.source.minimum_bytes == 4 * numbers
    assert item.download_mb == pytest.approx(4 * numbers / 1e6, abs=0.1)


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.SEGMENT, Task.GROUND])
def test_what_every_plan_rests_on_has_a_model_that_needs_no_download(task: Task) -> None:
    assert any(item.profile == "embedded" for item in Catalog.read().serving(task))


def test_the_two_label_model_never_comes_before_the_embedded_one() -> None:
    order = [item.id for item in Catalog.read().serving(Task.CLASSIFY)]
    assert order[0] == "txrv-densenet121-res224-all"
    assert order.index("embedded-classifier") < order.index("txrv-densenet121-res224-rsna")


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("Effusion", "effusion"),
        ("Pleural_Thickening", "pleural_thickening"),
        ("Lung Opacity", "lung_opacity"),
        ("Enlarged Cardiomediastinum", "enlarged_cardiomediastinum"),
        ("Lung Lesion", "lung_lesion"),
    ],
)
def test_labels_become_finding_codes(label: str, code: str) -> None:
    """Expected: the codes of tools/knowledge/findings.toml."""
    assert entry("one", labels=[label]).finding_codes() == (code,)


def test_unknown_id_names_the_nearest_raises() -> None:
    with pytest.raises(BadArguments, match=r"'txrv-densenet121-all'.*Nearest: txrv-densenet121-res224-all"):
        Catalog.read().get("txrv-densenet121-all")


def test_two_entries_of_one_id_raises() -> None:
    with pytest.raises(ValueError, match="'twin' twice"):
        Catalog([entry("twin"), entry("twin")])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"profile": "huge"}, "profile"),
        ({"tasks": ["guess"]}, "tasks"),
        ({"source": {"kind": "url", "url": "https://example.org/a.pt"}}, "without sha256 needs a note"),
        ({"source": {"kind": "user", "file": "../a.pt", "note": "x"}}, "without folders"),
        ({"source": {"kind": "hub", "repo": "a/b", "note": "x"}}, "needs its url, repo and revision"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_entry_raises(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        entry("wrong", **changes)


def test_a_wrong_file_names_itself_raises(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text("[[model]]\nid = 3\n")
    with pytest.raises(BadArguments, match=r"catalog\.toml is not a usable catalog"):
        Catalog.read(tmp_path / "catalog.toml")
