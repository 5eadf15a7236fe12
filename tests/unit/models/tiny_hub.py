"""Small random models in the very formats of transformers and open_clip, and pools that read them."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from models.catalog import Catalog, CatalogEntry
from models.numerics import Numerics
from models.pool import ModelPool

WORDS = (
    "no", "left", "right", "lower", "lobe", "pleural", "effusion", "pneumothorax", "cardiomegaly",
    "heart", "lung", "is", "are", "there", "the", "of", "and", "large", "small", "normal",
    "findings", "impression", "film", "chest", "what", "seen", "opacity", "in", "a",
)  # fmt: skip
"""What the small models can read and write."""

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = (*SPECIAL, *WORDS)
SHIPPED = Catalog.read()


def words_of(*more: str, frame: bool = True, **named: object) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words; `frame` puts [CLS] and [SEP] around a text, `more` are further special tokens."""
    vocabulary = {word: number for number, word in enumerate((*VOCABULARY, *more))}
    plain = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    plain.pre_tokenizer = Whitespace()
    if frame:
        plain.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", **named
    )


def folder(root: Path, model_id: str) -> Path:
    """Where a pool of `root` looks for a hub model."""
    made = root / model_id
    made.mkdir(parents=True)
    return made


def pool_of(root: Path, model_id: str, numerics: Numerics | None = None, **changes: object) -> ModelPool:
    """A pool whose only model is a shipped entry, read from `root` on the processor."""
    small: dict[str, object] = {"memory_mb": {"float32": 1}}
    entry = CatalogEntry.model_validate({**SHIPPED.get(model_id).model_dump(), **small, **changes})
    return ModelPool(Catalog([entry]), device="cpu", model_dir=root, profile="full", numerics=numerics)
