"""A language model of transformers in this process, from a folder on this machine, as a LangChain chat model.

The model's own chat template writes the prompt, tools included, and transformers' response parser reads tool calls out
of what it writes. Nothing is downloaded and no code of the folder runs.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, PrivateAttr

from imaging.failures import Unavailable

logger = logging.getLogger(__name__)

MAX_NEW_TOKENS = 1024
"""Longest reply; an answer of Hilum's takes a quarter of it."""


class TransformersChat(BaseChatModel):
    """Writes the most likely words each time, so equal conversations get equal replies.

    Attributes:
        model_name: the folder's name, for answers.
        max_new_tokens: longest reply.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    model_name: str
    max_new_tokens: int = Field(default=MAX_NEW_TOKENS, gt=0)
    _model: Any = PrivateAttr()
    _tokenizer: Any = PrivateAttr()
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def read(cls, folder: str, device: str = "auto", max_new_tokens: int = MAX_NEW_TOKENS) -> TransformersChat:
        """The model of a folder, on a device.

        Args:
            folder: as `save_pretrained` writes it: config.json, safetensors, tokenizer with a chat template.
            device: as settings.device.
            max_new_tokens: longest reply.

        Raises:
            Unavailable: it is not there, cannot be read, or has no chat template.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from models.adapters.hub import LOCAL, reading, weights_of
        from models.device import choose

        path = Path(folder).expanduser()
        if not (path / "config.json").is_file():
            raise Unavailable(
                f"There is no language model in {path}.", "Name the folder of one: transformers:/path/to/folder."
            )
        place = choose(device)
        with reading(path):
            tokenizer = AutoTokenizer.from_pretrained(path, **LOCAL)
            dtype = torch.float32 if place == "cpu" else torch.bfloat16
            model = weights_of(AutoModelForCausalLM, path, dtype=dtype, use_safetensors=True).to(place).eval()
        if not tokenizer.chat_template:
            raise Unavailable(f"{path.name} has no chat template.", "Take an instruction-tuned model.")
        made = cls(model_name=path.name, max_new_tokens=max_new_tokens)
        made._model, made._tokenizer = model, tokenizer
        made.profile = {"max_input_tokens": _reads_tokens(model, max_new_tokens)}
        return made

    @property
    def _llm_type(self) -> str:
        return "transformers"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, Any]:
        """The model with these tools, told of them by its chat template."""
        return self.bind(tools=[convert_to_openai_tool(item) for item in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        from transformers.cli.serving.utils import build_response_parser, response_events_to_chunks

        tools = kwargs.get("tools") or None
        prompt = self._tokenizer.apply_chat_template(
            _as_templates_want(messages),
            tools=tools,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._model.device)
        parser = build_response_parser(self._tokenizer, self._model, prompt["input_ids"], tools)
        written: list[int] = []
        calls = 0
        for piece in self._pieces(prompt, written, raw=parser is not None):
            found = [piece] if parser is None else response_events_to_chunks(_events(parser, piece))
            for chunk in _chunks(found, calls):
                calls += len(chunk.message.tool_call_chunks)  # type: ignore[attr-defined]
                if run_manager and chunk.text:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        rest = [] if parser is None else response_events_to_chunks(_events(parser, None))
        yield from _chunks(rest, calls)
        read = prompt["input_ids"].shape[1]
        used = UsageMetadata(input_tokens=read, output_tokens=len(written), total_tokens=read + len(written))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=used))

    def _pieces(self, prompt: Any, written: list[int], *, raw: bool) -> Iterator[str]:
        """The reply's text as it is written, in a thread; `written` collects its tokens."""
        import torch
        from transformers import TextIteratorStreamer

        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=not raw)
        left = threading.Event()
        failed: list[BaseException] = []

        def write() -> None:
            try:
                with self._lock, torch.inference_mode():
                    ids = self._model.generate(
                        **prompt,
                        streamer=streamer,
                        max_new_tokens=self.max_new_tokens,
                        do_sample=False,
                        stopping_criteria=[lambda ids, scores, **more: _all(left.is_set(), ids)],
                    )
                written.extend(ids[0, prompt["input_ids"].shape[1] :].tolist())
            except BaseException as error:  # noqa: BLE001 - handed to the thread that reads, which raises it
                failed.append(error)
                streamer.end()

        thread = threading.Thread(target=write, name="hilum-llm", daemon=True)
        thread.start()
        try:
            yield from (piece for piece in streamer if piece)
        finally:
            left.set()
            thread.join()
        if failed:
            raise failed[0]


def _events(parser: Any, piece: str | None) -> list[dict[str, Any]]:
    """What the parser finds in the next piece, or at the end (None); a call that is cut off or malformed is none."""
    try:
        found: list[dict[str, Any]] = parser.finalize()[1] if piece is None else parser.feed(piece)
    except (ValueError, RuntimeError) as error:
        logger.warning("a tool call that the model wrote cannot be read: %s", type(error).__name__)
        return []
    return found


def _all(value: bool, ids: Any) -> Any:
    import torch

    return torch.full((ids.shape[0],), value, dtype=torch.bool, device=ids.device)


def _reads_tokens(model: Any, reply: int) -> int:
    longest = getattr(model.config, "max_position_embeddings", None) or 4096
    return max(longest - reply, 256)


def _as_templates_want(messages: list[BaseMessage]) -> list[dict[str, Any]]:
    """OpenAI's form, but that a call's arguments are an object and no content is missing: templates index into both."""
    told: list[dict[str, Any]] = convert_to_openai_messages(messages, text_format="string")
    for message in told:
        message["content"] = message.get("content") or ""
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return told


def _chunks(found: list[Any], before: int) -> Iterator[ChatGenerationChunk]:
    """Pieces of text and whole calls; what a model thinks aloud is left out."""
    from transformers.cli.serving.utils import ToolCall

    for item in found:
        if isinstance(item, ToolCall):
            call = tool_call_chunk(name=item.name, args=item.arguments, id=f"call_{uuid4().hex[:12]}", index=before)
            before += 1
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))
        elif type(item) is str and item:
            yield ChatGenerationChunk(message=AIMessageChunk(content=item))


__all__ = ["TransformersChat"]
