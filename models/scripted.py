"""TorchScript archives, read before they are run.

A TorchScript file is a program: its code may name any operator of torch, also those that read and write files
(from_file, save). Its code lies in the archive as text, so every name that is called in it is compared with a list of
operators of convolutional networks before torch sees the file.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from imaging.failures import Unavailable
from models.pickled import first_line

OPERATORS = frozenset(
    """
    __contains__ __is__ __isnot__ __not__ _convolution adaptive_avg_pool2d adaptive_max_pool2d add add_ addmm annotate
    append avg_pool2d batch_norm cat chunk clamp contiguous conv2d dim div dropout dropout_ elu eq exp feature_dropout
    flatten floor_divide format ge gelu gt hardsigmoid hardsigmoid_ hardswish hardswish_ hardtanh_ layer_norm le
    leaky_relu leaky_relu_ len linear log log_softmax lt matmul max max_pool2d max_pool2d_with_indices mean min mul
    mul_ ne neg numel permute pow prelu relu relu6 relu_ reshape select sigmoid sigmoid_ silu silu_ size slice softmax
    softplus split split_with_sizes sqrt squeeze stack sub sum t tanh to transpose unchecked_cast uninitialized
    unsqueeze unwrap_optional upsample_bilinear2d view
    """.split()  # noqa: SIM905 - words read best as words
)
"""Operators a network of convolutions needs; each makes a tensor or number of its arguments and does nothing else."""

LANGUAGE = frozenset(
    """
    and bool dict elif float forward getattr if in int isinstance list not or range return tuple while RaiseException
    Module ModuleList Sequential
    """.split()  # noqa: SIM905
)
"""Words of TorchScript itself that may stand before a bracket."""

FORBIDDEN = re.compile(
    r"\b(?:save|from_file|load|rpc_\w+|__setstate__|__getstate__|__init__|(?<![\w.])ops\.(?!prim\.)\w+)\b"
)
"""What may stand nowhere, not even under another name: torch's operators on files (aten::save and aten::from_file are
the only ones among its schemas, torch 2.x), calls to other machines, methods that run on loading, operators of other
libraries (torchvision reads and writes pictures)."""

STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
CALLED = re.compile(r"([A-Za-z_]\w*)\s*(?:\[[^\]()]*\])?\(")
"""Any name before an opening bracket, with or without type arguments between."""

DEFINED = re.compile(r"^\s*(?:def|class)\s+(\w+)|^\s*(\w+) = ", re.MULTILINE)
"""Functions, classes and variables; a variable may stand for a function, so what it stands for is checked as a name."""

ATTRIBUTE = re.compile(r'\bgetattr\b(?!\([\w.]+, "\w+"\))')
"""getattr with anything but a plain name."""

MAX_CODE_BYTES = 32 << 20
"""Text of one code file; that of a traced network of 150 layers has about one MiB."""


def load_script(path: Path, device: str) -> Any:
    """The network of a TorchScript archive, in evaluation mode on a device; call it with a float32 tensor.

    Raises:
        Unavailable: the file is no TorchScript archive, or its code calls something that is not among OPERATORS.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(path, archive)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch 2.x would rather have torch.export
            return torch.jit.load(path, map_location=device).eval()
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise Unavailable(
            f"{path} was not loaded as TorchScript: {first_line(error)}.",
            "Get the file again from where the catalog says.",
        ) from error


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise Unavailable unless every code file calls nothing but known operators and what the archive defines."""
    members = archive.infolist()
    twice = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    code = [member for member in members if member.filename.endswith(".py")]
    if twice or not code or any(member.file_size > MAX_CODE_BYTES for member in code):
        raise Unavailable(f"{path} is not an archive as TorchScript writes it.", "Get the file again.")
    raw = [archive.read(member).decode("utf-8") for member in code]
    texts = [STRING.sub('""', text) for text in raw]
    defined = {name for text in texts for pair in DEFINED.findall(text) for name in pair}
    called = {name for text in texts for name in CALLED.findall(text)}
    strange = called - OPERATORS - LANGUAGE - defined
    strange |= {name for text in raw for name in [*FORBIDDEN.findall(text), *ATTRIBUTE.findall(text)]}
    if strange:
        raise Unavailable(
            f"{path} was not loaded: its code calls {', '.join(sorted(strange)[:5])}, which weights do not need.",
            "Get the file again from where the catalog says.",
        )
