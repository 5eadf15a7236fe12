"""Number formats and compiling: what each setting changes, on the processor as far as it stands in for a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from catalog_entries import DENSENET
from conftest import MakeFilm
from torch import nn

from agent.core import make_pool
from agent.settings import Settings
from imaging.failures import BadArguments
from models import device
from models.catalog import Catalog
from models.device import inference, place
from models.numerics import Numerics, current
from models.outputs import Heatmaps, Masks, Picture, Scores, Task
from models.pool import ModelPool

CATALOG = Catalog.read()
GEMMA = CATALOG.get("medgemma-4b-it")
BFLOAT16 = 2e-2
"""bfloat16 keeps 8 bits of a number; the largest difference seen between scores of it and of float32 was 0.011."""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten()]
    return nn.Sequential(*layers, nn.LayerNorm(128), nn.Linear(128, 3)).eval()


def test_half_precision_keeps_the_weights_of_products_in_two_bytes_and_changes_nothing_else() -> None:
    """Expected: torch's own autocast over the same network with its weights in float32, to the last bit."""
    pictures = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    plain = network()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        expected = plain(pictures)
    with Numerics(cpu_dtype="bfloat16").in_force():
        placed = place(network(), "cpu")
        with inference("cpu"):
            got = placed(pictures)
    kept = {name: value.dtype for name, value in placed.state_dict().items() if value.is_floating_point()}
    assert {name for name, dtype in kept.items() if dtype is torch.bfloat16} == {
        "0.weight", "0.bias", "6.weight", "6.bias"
    }  # fmt: skip
    assert kept["1.running_var"] is kept["5.weight"] is torch.float32
    assert got.dtype is expected.dtype and torch.equal(got, expected)


def test_weights_lie_channels_last_and_float32_is_left_alone() -> None:
    placed = place(network(), "cpu")
    assert placed[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert {value.dtype for value in placed.parameters()} == {torch.float32}
    pictures = torch.rand(2, 1, 16, 16)
    with inference("cpu"):
        np.testing.assert_allclose(placed(pictures), network()(pictures), atol=1e-6)


def test_what_is_in_force_ends_with_its_block() -> None:
    chosen = Numerics(cpu_dtype="bfloat16")
    with chosen.in_force():
        assert current() is chosen
    assert current() == Numerics()


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.GROUND, Task.SEGMENT, Task.ENHANCE, Task.QUALITY])
def test_the_embedded_models_say_the_same_in_bfloat16(task: Task, make_film: MakeFilm) -> None:
    film = make_film(4)
    numerics = Numerics(cpu_dtype="bfloat16")
    half, full = (
        ModelPool(device="cpu", profile="embedded", numerics=each).predict(task, [film])[0].output
        for each in (numerics, Numerics())
    )
    if isinstance(full, Masks) and isinstance(half, Masks):
        assert (half.masks != full.masks).mean() < 1e-2
    elif isinstance(full, Picture) and isinstance(half, Picture):
        np.testing.assert_allclose(half.pixels, full.pixels, atol=BFLOAT16)
    elif isinstance(full, Scores | Heatmaps) and isinstance(half, Scores | Heatmaps):
        np.testing.assert_allclose(half.values, full.values, atol=BFLOAT16)
        assert not np.array_equal(half.values, full.values), "it was computed otherwise"
    else:
        assert type(half) is type(full)


def test_torchxrayvision_says_the_same_in_bfloat16(txrv_dir: Path, make_film: MakeFilm) -> None:
    half, full = (
        ModelPool(device="cpu", model_dir=txrv_dir, numerics=each).predict(Task.CLASSIFY, [make_film(5)])[0]
        for each in (Numerics(cpu_dtype="bfloat16"), Numerics())
    )
    assert half.model_id == full.model_id == DENSENET
    assert isinstance(half.output, Scores) and isinstance(full.output, Scores)
    np.testing.assert_allclose(half.output.values, full.output.values, atol=BFLOAT16)


def test_compile_hands_networks_to_the_compiler_when_asked(
    monkeypatch: pytest.MonkeyPatch, make_film: MakeFilm
) -> None:
    """The compiler is ours: it counts the graphs it gets and runs them as they are. torch.compile's tracing is real."""
    graphs: list[int] = []

    def counting(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> object:
        graphs.append(len(list(graph.graph.nodes)))
        return graph.forward

    monkeypatch.setattr(device, "COMPILER", counting)
    film = make_film(3)
    plain = ModelPool(device="cpu", profile="embedded").predict(Task.CLASSIFY, [film])[0].output
    assert not graphs
    pool = ModelPool(device="cpu", profile="embedded", numerics=Numerics(compiled=True))
    compiled = pool.predict(Task.CLASSIFY, [film])[0].output
    assert sum(graphs) > 50, "the network's layers went through the compiler"
    assert isinstance(plain, Scores) and isinstance(compiled, Scores)
    np.testing.assert_allclose(compiled.values, plain.values, atol=1e-5)


@pytest.mark.parametrize(
    ("chosen", "read", "held", "gigabytes"),
    [
        (Numerics(), "bfloat16", "bfloat16", 8.6),
        (Numerics(gpu_dtype="int8"), "int8", "int8", 5.2),
        (Numerics(gpu_dtype="int4"), "int4", "int4", 3.4),
        (Numerics(gpu_dtype="float32"), "float32", "float32", 17.2),
        (Numerics(gpu_dtype="float16"), "bfloat16", "bfloat16", 8.6),
    ],
)
def test_a_large_model_is_read_and_counted_as_chosen(chosen: Numerics, read: str, held: str, gigabytes: float) -> None:
    """Expected: the catalog's memory_mb of the format; MedGemma does not list float16, so it keeps its own."""
    assert chosen.read_as(GEMMA, "cuda:0") == read and chosen.read_as(GEMMA, "cpu") == "float32"
    assert chosen.held_as(GEMMA, "cuda:0") == held and chosen.bytes_of(GEMMA, "cuda:0") == gigabytes * 1e9
    assert chosen.bytes_of(GEMMA, "cpu") == 17.2e9


def test_a_small_network_takes_half_the_memory_on_a_gpu_and_is_never_quantised() -> None:
    densenet = CATALOG.get(DENSENET)
    for chosen in (Numerics(), Numerics(gpu_dtype="int4"), Numerics(gpu_dtype="float16")):
        assert chosen.read_as(densenet, "cuda:0") == "float32", "read whole; place() makes it smaller"
        assert chosen.bytes_of(densenet, "cuda:0") == 14.1e6
    assert Numerics(gpu_dtype="float32").bytes_of(densenet, "cuda:0") == 28.2e6
    assert Numerics(cpu_dtype="bfloat16").bytes_of(densenet, "cpu") == 14.1e6


def test_an_output_of_one_format_is_not_given_for_another(tmp_path: Path, make_film: MakeFilm) -> None:
    film = make_film(6)
    for numerics, cached in ((Numerics(), False), (Numerics("bfloat16"), False), (Numerics(compiled=False), True)):
        pool = ModelPool(device="cpu", profile="embedded", cache_dir=tmp_path, numerics=numerics)
        assert pool.predict(Task.CLASSIFY, [film])[0].cached is cached


@pytest.mark.parametrize("wrong", [{"cpu_dtype": "float16"}, {"gpu_dtype": "int3"}])
def test_an_unknown_format_names_the_known_ones_raises(wrong: dict[str, str]) -> None:
    with pytest.raises(BadArguments, match=r"dtype is '.*Use "):
        Numerics(**wrong)


def test_settings_reach_the_pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_film: MakeFilm) -> None:
    """Every setting of the pool as a user sets it, and that it is in force."""
    for name, value in {
        "CPU_DTYPE": "bfloat16", "GPU_DTYPE": "int8", "COMPILE": "0", "MEMORY_BUDGET_MB": "0.5", "MAX_BATCH": "3",
        "MAX_WAIT_MS": "7", "CACHE_MB": "1", "CACHE_DIR": str(tmp_path / "kept"), "MODEL_TIMEOUT_S": "60",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"HILUM_{name}", value)
    pool = make_pool(Settings(profile="embedded", device="cpu"))
    assert pool.numerics == Numerics("bfloat16", "int8", False)
    with pytest.raises(Exception, match=r"needs 13 MB of cpu, whose budget is 0 MB.*HILUM_MEMORY_BUDGET_MB"):
        pool.predict(Task.CLASSIFY, [make_film()])
    monkeypatch.setenv("HILUM_MEMORY_BUDGET_MB", "100")
    pool = make_pool(Settings(profile="embedded", device="cpu"))
    pool.predict(Task.CLASSIFY, [make_film()])
    assert len(list((tmp_path / "kept").glob("*.npz"))) == 1
    assert make_pool(Settings(profile="embedded", device="cpu")).predict(Task.CLASSIFY, [make_film()])[0].cached
