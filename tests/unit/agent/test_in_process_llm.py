"""A transformers model in this process: a tiny random Qwen2 on the disk, its real template and transformers' parser.

A random model calls no tool, so where one must be called, what it writes is put in the place of what it would.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
from agent_stubs import StubTools, Truth, film, stub_agent
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from agent.answer import Verdict
from agent.events import TextDelta
from agent.llm.in_process import TransformersChat
from imaging.failures import Unavailable

FILM = film(1)
TRUTH = Truth(scores={"effusion": 0.81}, sides={"effusion": "left"})
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = """{%- if tools %}<|im_start|>system
{{ messages[0].content }}
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools><|im_end|>
{% else %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}{%- for message in messages[1:] %}<|im_start|>{{ message.role }}
{{ message.content }}{% for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""In the manner of Qwen's: tools in the system turn, calls as JSON between marks."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of 0.1 million random weights that reads and writes bytes."""
    where = tmp_path_factory.mktemp("models") / "Tiny-Qwen"
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    plain.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(where)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=32768, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(where)
    return where


def writing(chat: TransformersChat, *replies: str) -> list[str]:
    """Makes the model write these, one per call, by its own tokens and streamer; the prompts it was given."""
    left, prompts = list(replies), []
    tokenizer = chat._tokenizer

    def generate(model: Any, input_ids: Any, streamer: Any, **more: Any) -> Any:
        prompts.append(tokenizer.decode(input_ids[0]))
        ids = torch.tensor(tokenizer(left.pop(0) + "<|im_end|>")["input_ids"])
        streamer.put(input_ids)
        for token in ids:
            streamer.put(token[None])
        streamer.end()
        return torch.cat([input_ids, ids[None]], dim=1)

    chat._model.generate = MethodType(generate, chat._model)
    return prompts


def called(name: str, **args: Any) -> str:
    call = json.dumps({"name": name, "arguments": {"image_id": FILM.id} | args})
    return f"<tool_call>\n{call}\n</tool_call>"


def test_random_model_writes_something_is_counted_and_the_answer_says_which(folder: Path) -> None:
    chat = TransformersChat.read(str(folder), "cpu", max_new_tokens=12)
    session = stub_agent(StubTools(TRUTH), chat).session()
    session.add(FILM)
    events = list(session.stream("Is there an effusion?"))
    answer = events[-1].answer  # type: ignore[union-attr]
    assert answer.planner == "Tiny-Qwen" and (answer.usage.output_tokens or 0) <= 12
    assert (answer.usage.input_tokens or 0) > 1000, "it was told the films, the rules and the tools"
    assert answer.evidence == [] and all(claim.verdict is not Verdict.SUPPORTED for claim in answer.claims)


def test_tools_are_called_and_their_results_come_back_to_the_model(folder: Path) -> None:
    chat = TransformersChat.read(str(folder), "cpu")
    prompts = writing(
        chat,
        "I shall look.\n" + called("classify", findings=["effusion"]) + "\n" + called("ground", finding="effusion"),
        "There is a left pleural effusion [E1, E2].",
    )
    tools = StubTools(TRUTH)
    session = stub_agent(tools, chat).session()
    session.add(FILM)
    events = list(session.stream("Is there an effusion?"))
    answer = events[-1].answer  # type: ignore[union-attr]
    assert sorted(name for name, _ in tools.runs) == ["classify", "ground"]
    assert answer.text == "There is a left pleural effusion [E1, E2]."
    assert [claim.verdict for claim in answer.claims] == [Verdict.SUPPORTED]
    assert '"name": "classify"' in prompts[0] and FILM.id in prompts[0]
    assert "[E1] " in prompts[1] and '<tool_call>\n{"name": "classify", "arguments": {' in prompts[1]
    assert "tool_call" not in "".join(event.text for event in events if isinstance(event, TextDelta))


def test_planner_is_named_by_its_folder_alone(folder: Path) -> None:
    agent = stub_agent(StubTools(TRUTH), f"transformers:{folder}", device="cpu")
    assert agent.planner_name == "transformers:Tiny-Qwen"
    assert str(folder.parent) not in json.dumps(
        agent.settings.model_copy(update={"planner": f"transformers:{folder}"}).told()
    )


def test_model_that_fails_while_it_writes_is_our_bug_and_not_silence(folder: Path) -> None:
    chat = TransformersChat.read(str(folder), "cpu")

    def generate(model: Any, **more: Any) -> Any:
        raise ZeroDivisionError

    chat._model.generate = MethodType(generate, chat._model)
    with pytest.raises(ZeroDivisionError):
        chat.invoke("Hello")


def test_folder_without_a_model_or_template_is_unavailable(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no language model"):
        TransformersChat.read(str(tmp_path))
    for file in folder.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(Unavailable, match="no chat template"):
        TransformersChat.read(str(tmp_path), "cpu")
