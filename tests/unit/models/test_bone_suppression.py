"""User-supplied bone suppression on small random models, against diffusers by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from safetensors.torch import load_file, save_file
from tiny_hub import pool_of

from imaging.failures import Unavailable
from imaging.phantom import PhantomSpec, make_phantom
from imaging.store import ImageStore
from models.adapters.bone_suppression import changed, squeezed
from models.outputs import Picture, ScoreKind, Task
from models.pool import ModelPool
from models.suppression import BoneSuppressor
from tools.contract import ToolContext
from tools.suppress_bone import suppress_bone

diffusers = pytest.importorskip("diffusers")
MODEL = "bone-suppression"
SIDE, STEPS = 32, 3


def unet(channels: int, out: int, side: int) -> torch.nn.Module:
    torch.manual_seed(channels)
    return diffusers.UNet2DModel(
        sample_size=side, in_channels=channels, out_channels=out, block_out_channels=(8, 16), layers_per_block=1,
        norm_num_groups=4, attention_head_dim=4, down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    )  # fmt: skip


def write(root: Path, scheduler: object, network: torch.nn.Module, vae: object = None, **told: object) -> Path:
    place = root / MODEL
    network.save_pretrained(place / "unet")
    scheduler.save_pretrained(place / "scheduler")  # type: ignore[attr-defined]
    if vae is not None:
        vae.save_pretrained(place / "vae")  # type: ignore[attr-defined]
    (place / "hilum.json").write_text(json.dumps({"steps": STEPS, **told}))
    return place


def bs_diff(root: Path) -> Path:
    """As BS-Diff: in pixels, noise and film on two channels, both predicted, DDPM with squared cosines."""
    return write(root, diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"), unet(2, 2, SIDE))


def bs_ldm(root: Path) -> Path:
    """As BS-LDM: in the latents of a VQGAN, the clipping widened at every step."""
    torch.manual_seed(1)
    vae = diffusers.VQModel(
        in_channels=1, out_channels=1, latent_channels=4, num_vq_embeddings=16, block_out_channels=(8, 16),
        norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    told = {"clip_start": 1.5, "clip_rate": 0.0021}
    return write(root, diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"), unet(8, 8, SIDE // 2), vae, **told)


def gl_lcm(root: Path) -> Path:
    """As GL-LCM's global half: few steps of a consistency model, here in the latents of a KL autoencoder."""
    torch.manual_seed(2)
    vae = diffusers.AutoencoderKL(
        in_channels=1, out_channels=1, latent_channels=4, block_out_channels=(8, 16), norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    return write(root, diffusers.LCMScheduler(), unet(8, 4, SIDE // 2), vae, seed=5)


def by_hand(place: Path, square: torch.Tensor) -> torch.Tensor:
    """The denoising of one picture [1, 1, S, S] in [-1, 1] with diffusers' own parts, the condition stepped along."""
    told = json.loads((place / "hilum.json").read_text())
    network = diffusers.UNet2DModel.from_pretrained(place / "unet").eval()
    named = json.loads((place / "scheduler" / "scheduler_config.json").read_text())["_class_name"]
    scheduler = getattr(diffusers, named).from_pretrained(place / "scheduler")
    vae = None
    if (place / "vae").is_dir():
        kind = json.loads((place / "vae" / "config.json").read_text())["_class_name"]
        vae = getattr(diffusers, kind).from_pretrained(place / "vae").eval()
    with torch.inference_mode():
        condition = square
        if isinstance(vae, diffusers.VQModel):
            condition = vae.quantize(vae.encode(square).latents)[0]
        elif vae is not None:
            condition = vae.encode(square).latent_dist.mode() * vae.config.scaling_factor
        noise = torch.Generator("cpu").manual_seed(told.get("seed", 0))
        half = condition.shape[1]
        sample = torch.randn(condition.shape, generator=noise)
        scheduler.set_timesteps(STEPS)
        for number, step in enumerate(scheduler.timesteps):
            if "clip_start" in told:
                reach = told["clip_start"] + told["clip_rate"] * number
                scheduler.register_to_config(clip_sample=True, clip_sample_range=reach)
            predicted = network(torch.cat([sample, condition], dim=1), step).sample[:, :half]
            sample = scheduler.step(predicted, step, sample, generator=noise).prev_sample
        if isinstance(vae, diffusers.VQModel):
            sample = vae.decode(sample, force_not_quantize=True).sample
        elif vae is not None:
            sample = vae.decode(sample / vae.config.scaling_factor).sample
    return sample.clamp(-1, 1)


def enhanced(root: Path, *films: object) -> list[Picture]:
    said = pool_of(root, MODEL).predict(Task.ENHANCE, list(films), model_id=MODEL)
    assert all(isinstance(item.output, Picture) for item in said)
    return [item.output for item in said]  # type: ignore[misc]


@pytest.mark.parametrize("written", [bs_diff, bs_ldm, gl_lcm], ids=lambda each: each.__name__)
def test_a_film_is_what_diffusers_denoises(
    written: Callable[[Path], Path], tmp_path: Path, make_film: MakeFilm
) -> None:
    """Expected: diffusers' parts called by hand, one film at a time; only the difference comes back to the film."""
    place = written(tmp_path)
    films = [make_film(seed, (70, 50)) for seed in (1, 2)]
    for film, made in zip(films, enhanced(tmp_path, *films), strict=True):
        square = squeezed(film.pixels, SIDE)
        change = (by_hand(place, square * 2 - 1) + 1) / 2 - square
        assert made.what == "bone suppressed" and made.pixels.shape == film.pixels.shape
        assert made.pixels.dtype == np.float32 and 0 <= made.pixels.min() <= made.pixels.max() <= 1
        np.testing.assert_allclose(made.pixels, changed(film.pixels, change[0]), atol=2e-4)


def test_films_are_squeezed_and_scaled_as_the_authors_do(make_film: MakeFilm) -> None:
    """Expected: torchvision's antialiased Resize, ToTensor's range of 0 to 1."""
    transforms = pytest.importorskip("torchvision.transforms.v2")
    film = make_film(3, (90, 64))
    expected = transforms.Resize((SIDE, SIDE), antialias=True)(torch.from_numpy(film.pixels.copy())[None])
    torch.testing.assert_close(squeezed(film.pixels, SIDE)[0], expected)


class Darker(torch.nn.Module):
    def forward(self, squares: torch.Tensor) -> torch.Tensor:
        return torch.clamp(squares - 0.25, min=0.0, max=1.0)


def test_a_script_from_films_to_films_is_run(tmp_path: Path, make_film: MakeFilm) -> None:
    (tmp_path / MODEL).mkdir()
    torch.jit.script(Darker()).save(tmp_path / MODEL / "network.pt")
    (tmp_path / MODEL / "hilum.json").write_text('{"side": 64}')
    film = make_film(4, (64, 64))
    [made] = enhanced(tmp_path, film)
    np.testing.assert_allclose(made.pixels, (film.pixels - 0.25).clip(0, 1), atol=1e-6)


def test_hilums_own_network_trained_anew_is_read(tmp_path: Path, make_film: MakeFilm) -> None:
    """Expected: the film less what the network calls bone; a network that has learnt nothing yet calls nothing so."""
    (tmp_path / MODEL).mkdir()
    torch.manual_seed(0)
    network = BoneSuppressor().eval()
    save_file(network.state_dict(), tmp_path / MODEL / "network.safetensors")
    (tmp_path / MODEL / "hilum.json").write_text('{"side": 64}')
    film = make_film(5, (64, 64))
    np.testing.assert_allclose(enhanced(tmp_path, film)[0].pixels, film.pixels, atol=1e-6)
    with torch.no_grad():
        network.head.bias.fill_(0.125)
    save_file(network.state_dict(), tmp_path / MODEL / "network.safetensors")
    np.testing.assert_allclose(enhanced(tmp_path, film)[0].pixels, (film.pixels - 0.125).clip(0, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("unet", {"_class_name": "Antigravity"}, "names the class 'Antigravity'"),
        ("scheduler", {"_class_name": "Fly"}, "names the class 'Fly'"),
        ("unet", {"layers_per_block": 2}, "was not loaded: .*loading state_dict"),
    ],
)
def test_a_folder_that_is_not_what_it_says_is_refused(
    part: str, change: dict[str, object], said: str, tmp_path: Path, make_film: MakeFilm
) -> None:
    [config] = (bs_diff(tmp_path) / part).glob("*config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(Unavailable, match=said):
        enhanced(tmp_path, make_film())


def test_a_folder_that_lacks_a_weight_is_refused(tmp_path: Path, make_film: MakeFilm) -> None:
    [weights] = (bs_diff(tmp_path) / "unet").glob("*.safetensors")
    kept = load_file(weights)
    del kept["conv_out.bias"]
    save_file(kept, weights)
    with pytest.raises(Unavailable, match=r"lacks 1 weights, conv_out\.bias among them"):
        enhanced(tmp_path, make_film())


def test_a_network_that_sees_no_film_is_refused(tmp_path: Path, make_film: MakeFilm) -> None:
    write(tmp_path, diffusers.DDPMScheduler(), unet(1, 1, SIDE))
    with pytest.raises(Unavailable, match="takes 1 channels; noise beside a film has 2"):
        enhanced(tmp_path, make_film())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("hilum.json", b'{"sides": 3}', "hilum.json is wrong"),
        ("network.pt", b"\x80pickle", "not loaded as TorchScript"),
    ],
)
def test_what_cannot_be_read_says_why(
    name: str, content: bytes, said: str, tmp_path: Path, make_film: MakeFilm
) -> None:
    bs_diff(tmp_path)
    if name == "network.pt":
        (tmp_path / MODEL / "unet").rename(tmp_path / "elsewhere")
    (tmp_path / MODEL / name).write_bytes(content)
    with pytest.raises(Unavailable, match=said):
        enhanced(tmp_path, make_film())


def test_the_tool_uses_it_when_named_and_the_embedded_one_otherwise(tmp_path: Path) -> None:
    bs_diff(tmp_path)
    film = make_phantom(PhantomSpec(seed=2, size=256)).radiograph
    pool = ModelPool(device="cpu", model_dir=tmp_path, profile="full")
    context = ToolContext(films=ImageStore(), models=pool)
    context.films.add(film)
    ours = suppress_bone.run(context, {"image_id": film.id})
    theirs = suppress_bone.run(context, {"image_id": film.id, "model": MODEL})
    assert (ours.model, theirs.model) == ("embedded-bone-suppressor", MODEL)
    assert theirs.failure is None and theirs.data.code == ours.data.code == "bone_suppressed"
    assert not any("synthetic films" in caveat for caveat in theirs.caveats), "that is the embedded one's training"


def test_the_card_says_whose_it_is_and_gives_no_score(tmp_path: Path) -> None:
    bs_diff(tmp_path)
    card = pool_of(tmp_path, MODEL).card(MODEL)
    assert card.score_kind is ScoreKind.NONE and card.revision.startswith("unknown+files.")
    assert any("Not measured by Hilum" in limit for limit in card.limits)
