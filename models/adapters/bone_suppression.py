"""Bone suppression by networks that the user supplies (ENHANCE): conditional diffusion, and plain image to image.

A folder in diffusers' format holds a conditional diffusion model of the kind of BS-Diff (in pixels), BS-LDM and GL-LCM
(in the latents of an autoencoder): the network sees noise beside the film, on further channels, and takes the noise
away step by step. A folder with network.safetensors holds Hilum's own suppressor trained anew, one with network.pt a
TorchScript program from films to films.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional

from imaging.failures import Unavailable
from imaging.radiograph import FilmArray, Radiograph
from models.adapters.embedded_bone_suppressor import BONE_SUPPRESSED
from models.adapters.hub import reading, require
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Output, Picture, Task
from models.scripted import load_script
from models.suppression import load_suppressor

TOLD = "hilum.json"
"""What the folder says of the model beyond its weights; may be absent."""

NETWORKS, SCHEDULERS = ("UNet2DModel",), ("DDPMScheduler", "DDIMScheduler", "LCMScheduler")
AUTOENCODERS = ("VQModel", "AutoencoderKL")
"""Classes of diffusers that a folder may name; nothing else is looked up because a file says so."""


class Terms(BaseModel):
    """What TOLD may say.

    Attributes:
        side: of the square that the film is squeezed into, pixels.
        steps: denoising steps; by default as many as in training.
        clip_start, clip_rate: at step j the estimate of the clean picture is clipped to plus and minus clip_start +
            j * clip_rate (BS-LDM's dynamic clipping); without clip_start the scheduler's own rule holds.
        seed: of the noise; the same film gives the same picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: int | None = Field(default=None, ge=16, le=4096)
    steps: int | None = Field(default=None, ge=1)
    clip_start: float | None = Field(default=None, gt=0)
    clip_rate: float = Field(default=0.0, ge=0)
    seed: int = 0


class Suppressing(Protocol):
    """What takes bone away from a batch of squares."""

    def __call__(self, squares: torch.Tensor) -> torch.Tensor:
        """Squares float32 [N, 1, S, S] in [0, 1] without bone, likewise."""


@dataclass(frozen=True)
class BoneSuppression:
    """One loaded model; `side` of the square it sees, pixels."""

    card: ModelCard
    suppressing: Suppressing
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Each film without the bone that the model sees, in order, from one batch.

        Only the difference that the model makes is brought back to the film, which so keeps its resolution and grain.
        """
        del task
        squares = torch.cat([squeezed(film.pixels, self.side) for film in films])
        with inference(self.device):
            freed = self.suppressing(squares.to(self.device)).float().cpu()
        if freed.shape != squares.shape or not torch.isfinite(freed).all():
            raise Unavailable(
                f"{self.card.id} made {tuple(freed.shape)} of {tuple(squares.shape)}, or values that are no numbers.",
                f"It must make a picture of each picture; see {TOLD} in docs/running-models.md.",
            )
        changes = freed - squares
        return [
            Picture(changed(film.pixels, change), BONE_SUPPRESSED) for film, change in zip(films, changes, strict=True)
        ]


@dataclass(frozen=True)
class Diffusion:
    """Conditional denoising: `network` sees the noisy picture and the film side by side on its channels."""

    network: Any
    scheduler: Any
    autoencoder: Any
    terms: Terms

    def __call__(self, squares: torch.Tensor) -> torch.Tensor:
        """As Suppressing."""
        condition = self._encoded(squares * 2 - 1)
        channels = condition.shape[1]
        # On the processor and one for each film, so that its noise is the same wherever and with whom it is computed.
        noises = [torch.Generator("cpu").manual_seed(self.terms.seed) for _ in squares]
        drawn = [torch.randn(condition.shape[1:], generator=each) for each in noises]
        sample = torch.stack(drawn).to(condition.device, torch.float32)
        scheduler = type(self.scheduler).from_config(self.scheduler.config)  # steps leave traces in it
        scheduler.set_timesteps(self.terms.steps or scheduler.config.num_train_timesteps)
        sample = sample * scheduler.init_noise_sigma
        for number, step in enumerate(scheduler.timesteps):
            if self.terms.clip_start is not None:
                reach = self.terms.clip_start + self.terms.clip_rate * number
                scheduler.register_to_config(clip_sample=True, clip_sample_range=reach)
            seen = torch.cat([scheduler.scale_model_input(sample, step), condition], dim=1)
            told = self.network(seen, step).sample[:, :channels].float()
            sample = scheduler.step(told, step, sample, generator=noises).prev_sample
        return ((self._decoded(sample).float() + 1) / 2).clamp(0, 1)

    def _encoded(self, squares: torch.Tensor) -> torch.Tensor:
        """Pictures in [-1, 1] as the network's condition: themselves, or an autoencoder's latents."""
        if self.autoencoder is None:
            return squares
        found = self.autoencoder.encode(squares)
        if hasattr(found, "latent_dist"):
            return (found.latent_dist.mode() * self.autoencoder.config.scaling_factor).float()
        return self.autoencoder.quantize(found.latents)[0].float()  # as the authors of BS-LDM condition it

    def _decoded(self, sample: torch.Tensor) -> torch.Tensor:
        if self.autoencoder is None:
            return sample
        if hasattr(self.autoencoder, "quantize"):
            return self.autoencoder.decode(sample, force_not_quantize=True).sample
        return self.autoencoder.decode(sample / self.autoencoder.config.scaling_factor).sample


def squeezed(pixels: FilmArray, side: int) -> torch.Tensor:
    """A film [H, W] in [0, 1] squeezed into a square float32 [1, 1, side, side], as the authors of these models do."""
    film = torch.from_numpy(pixels.copy())[None, None]
    return functional.interpolate(film, size=(side, side), mode="bilinear", align_corners=False, antialias=True)


def changed(pixels: FilmArray, change: torch.Tensor) -> FilmArray:
    """A film [H, W] plus a change [1, side, side] of the same picture, float32 [H, W] in [0, 1]."""
    size = (pixels.shape[0], pixels.shape[1])
    grown = functional.interpolate(change[None], size=size, mode="bilinear", align_corners=False, antialias=True)
    made: FilmArray = (pixels + grown[0, 0].numpy()).clip(0.0, 1.0)
    return made


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> BoneSuppression:
    """The model in a folder.

    Raises:
        Unavailable: the folder is none of the three kinds', not whole, names classes beyond the ones above, its
            network does not have the channels of its pictures, or diffusers is not installed.
    """
    terms = _terms(path)
    if (path / "unet").is_dir():
        return BoneSuppression(card, *_diffusion(entry, path, device, terms), device)
    side = terms.side or entry.input_size
    if (path / "network.pt").is_file():
        return BoneSuppression(card, load_script(path / "network.pt", device), side, device)
    try:
        network = load_suppressor(load_file(path / "network.safetensors"))
    except (SafetensorError, RuntimeError, FileNotFoundError) as error:
        raise Unavailable(
            f"{path} holds neither a diffusion model nor a network: {error}",
            "See docs/running-models.md for the forms.",
        ) from error
    placed = place(network, device)
    return BoneSuppression(card, lambda squares: (squares - placed(squares * 2 - 1)).clamp(0, 1), side, device)


def _terms(path: Path) -> Terms:
    told = path / TOLD
    try:
        return Terms.model_validate_json(told.read_bytes()) if told.is_file() else Terms()
    except ValidationError as error:
        raise Unavailable(f"{told} is wrong: {error}", "See docs/running-models.md.") from error


def _diffusion(entry: CatalogEntry, path: Path, device: str, terms: Terms) -> tuple[Diffusion, int]:
    """The denoiser of a folder, and the side of its pictures."""
    require("diffusers", "full", entry.id)
    with reading(path):
        network: Any = place(_part(path / "unet", NETWORKS), device)
        scheduler = _part(path / "scheduler", SCHEDULERS)
        autoencoder: Any = place(_part(path / "vae", AUTOENCODERS), device) if (path / "vae").is_dir() else None
    latent = autoencoder.config.latent_channels if autoencoder is not None else 1
    shrink = 2 ** (len(autoencoder.config.block_out_channels) - 1) if autoencoder is not None else 1
    if network.config.in_channels != 2 * latent or network.config.out_channels not in (latent, 2 * latent):
        raise Unavailable(
            f"The network of {path} takes {network.config.in_channels} channels; noise beside a film has {2 * latent}.",
            "Is it a conditional model, and is its autoencoder the right one?",
        )
    trained_on = network.config.sample_size or 0
    side = trained_on if isinstance(trained_on, int) else trained_on[0]
    return Diffusion(network, scheduler, autoencoder, terms), terms.side or side * shrink or entry.input_size


def _part(place_of: Path, allowed: Sequence[str]) -> Any:
    """One part of a diffusers folder, of one of the classes allowed; every weight of it must be there."""
    import diffusers

    config = next(iter(sorted(place_of.glob("*config.json"))), None)
    named = str(json.loads(config.read_text(encoding="utf-8")).get("_class_name")) if config else "none"
    if named not in allowed:
        raise Unavailable(f"{place_of} names the class {named!r}.", f"Allowed: {', '.join(allowed)}.")
    kind = getattr(diffusers, named)
    if allowed is SCHEDULERS:
        return kind.from_pretrained(place_of, local_files_only=True)
    part, told = kind.from_pretrained(
        place_of,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
        low_cpu_mem_usage=importlib.util.find_spec("accelerate") is not None,
    )
    absent = sorted([*told["missing_keys"], *map(str, told["mismatched_keys"])])
    if absent:
        raise Unavailable(f"{place_of} lacks {len(absent)} weights, {absent[0]} among them.", "Supply it whole.")
    return part
