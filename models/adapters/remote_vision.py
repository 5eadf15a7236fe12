"""A vision model behind an OpenAI-compatible address (ANSWER). Pixels leave this machine, so the user turns it on.

Turning it on takes two things: the file remote-vision.json in the model directory, which says where the pixels go and
`"send_pixels": true`, and naming the model ("remote-vision"), since it is never chosen by itself.
"""

from __future__ import annotations

import base64
import io
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imaging.deidentify.burned_in import find_text
from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import Radiograph
from models.adapters.hub import WHITE
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.outputs import Output, Task, Text
from models.request import Question, Request

FORM = '{"base_url": "https://.../v1", "model": "NAME", "send_pixels": true, "key_variable": "OPENAI_API_KEY"}'
"""The least that remote-vision.json says."""


class Endpoint(BaseModel):
    """What remote-vision.json says.

    Attributes:
        base_url: of the service, without "/chat/completions"; http only for this machine.
        model: its name there.
        send_pixels: the user's word that films may be sent there.
        key_variable: environment variable that holds the key; empty for a service without one.
        longest_side: films are made no larger than this, in pixels.
        timeout_s: longest wait for one answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    base_url: str
    model: str = Field(min_length=1)
    send_pixels: bool = False
    key_variable: str = ""
    longest_side: int = Field(default=1024, ge=64, le=2048)
    timeout_s: float = Field(default=60.0, gt=0)


@dataclass(frozen=True)
class RemoteVision:
    """The service and how to reach it."""

    card: ModelCard
    endpoint: Endpoint
    client: httpx.Client

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """What the service says of each film, in order. It gets the question and the film's pixels, nothing else.

        Raises:
            BadArguments: there is no question.
            Unavailable: the service does not answer, or not in the form expected.
        """
        del task
        asked = [(item.film, item.question) for item in requests if item.film is not None and item.question is not None]
        if not all(question.text.strip() for _, question in asked):
            raise BadArguments("There is no question.", "Give Question.text.")
        return [self._ask(film, question) for film, question in asked]

    def _ask(self, film: Radiograph, question: Question) -> Text:
        image = base64.b64encode(outgoing(film, self.endpoint.longest_side)).decode("ascii")
        content = [
            {"type": "text", "text": question.text},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        ]
        sent = {
            "model": self.endpoint.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": question.max_new_tokens,
            "temperature": 0,
        }
        host = urlsplit(self.endpoint.base_url).hostname
        try:
            reply = self.client.post(f"{self.endpoint.base_url.rstrip('/')}/chat/completions", json=sent)
            reply.raise_for_status()
            choice = reply.json()["choices"][0]
            said = choice["message"]["content"].strip()
        except httpx.HTTPStatusError as error:
            raise Unavailable(
                f"{host} answered {error.response.status_code}.", "Check remote-vision.json and the key."
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{host} did not answer: {type(error).__name__}.", "Check the connection.") from error
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise Unavailable(
                f"{host} answered in another form than an OpenAI-compatible service.", "Check base_url."
            ) from error
        return Text(said, truncated=choice.get("finish_reason") == "length")


def outgoing(film: Radiograph, longest_side: int) -> bytes:
    """The film as it leaves this machine: a grey PNG of 8 bits without metadata, what looks like text painted black.

    Args:
        film: any size.
        longest_side: the longer side is made no larger than this, in pixels; the aspect ratio stays.
    """
    grey = np.rint(film.pixels * WHITE).astype(np.uint8)
    for top, left, bottom, right in find_text(film.pixels):
        grey[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = 0
    small = Image.fromarray(grey)
    small.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "PNG")
    return stream.getvalue()


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> RemoteVision:
    """The service of remote-vision.json; nothing is sent yet.

    Raises:
        Unavailable: the file is not of the form, does not allow pixels to leave, or the key is not set.
    """
    del device
    try:
        endpoint = Endpoint.model_validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(part) for part in wrong["loc"]) or "the file"
        raise Unavailable(f"{path} is not usable: {place}: {wrong['msg']}.", f"Write {FORM}.") from error
    if not endpoint.send_pixels:
        raise Unavailable(
            f"{path} does not allow films to leave this machine.",
            'Add "send_pixels": true, if whoever is responsible for the films agrees.',
        )
    if not _private(endpoint.base_url):
        raise Unavailable(f"{endpoint.base_url!r} would carry films in the clear.", "Use an https address.")
    headers: dict[str, Any] = {}
    if endpoint.key_variable:
        key = os.environ.get(endpoint.key_variable, "")
        if not key:
            raise Unavailable(f"{entry.id} needs the key in {endpoint.key_variable}.", "Set that variable.")
        headers["Authorization"] = f"Bearer {key}"
    return RemoteVision(card, endpoint, httpx.Client(timeout=endpoint.timeout_s, headers=headers))


def _private(address: str) -> bool:
    """Whether what is sent to an address cannot be read on the way: https, or this very machine."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return bool(host)
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and here
