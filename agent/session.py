"""One conversation: its films, its evidence, its memory. Nothing of it is shared with another session."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from agent.answer import Answer
from agent.events import Answered, Event, FilmsTaken
from agent.faults import Busy
from agent.films import FILMS_KEY, input_notes, listed, told_films
from agent.graph import build_graph
from agent.ledger import EvidenceLedger
from agent.planner.llm import planner_failures
from agent.turn import STREAM_MODES, Turn
from imaging.failures import BadArguments
from imaging.radiograph import Radiograph
from imaging.sources import contents
from imaging.store import ImageStore
from imaging.studies import StudyFilm, StudyInput, arrange, group
from prompts import prompt
from tools.contract import ToolContext

if TYPE_CHECKING:
    from agent.core import Agent

Film = str | Path | bytes | Radiograph
"""A path (file, folder or zip archive), the bytes of a file or archive, or a film that was opened already."""

STEPS_PER_CALL = 8
"""Graph steps one planner call and its tools may take; the call limits end a turn long before this does."""


class Session:
    """One conversation with an Agent. Answers one question at a time; a second one meanwhile is refused as Busy."""

    def __init__(self, agent: Agent) -> None:
        self.id = uuid4().hex
        self.films = ImageStore()
        self.ledger = EvidenceLedger()
        self._agent = agent
        self._taken: dict[str, StudyFilm] = {}
        self._new: dict[str, StudyFilm] = {}
        self._notes: list[str] = []
        self._turn = threading.Lock()
        self._graph = build_graph(
            agent.planner,
            agent.tools,
            ToolContext(films=self.films, models=agent.models),
            self.ledger,
            self._system_prompt,
            agent.settings.max_planner_calls,
            agent.settings.max_tool_calls,
        )

    def add(self, film: Film) -> Radiograph:
        """Decode one film into this session.

        Raises:
            FilmRefused: it cannot be used; with the reason.
            BadArguments: a folder or archive with several films.
        """
        found = self._read([film])
        if len(found.films) > 1:
            raise BadArguments(f"There are {len(found.films)} films in it, not one.", "Take them with Session.take.")
        self._keep(found)
        return self.films.get(_usable(found).films[0].film.id)

    def take(self, films: Sequence[Film]) -> StudyInput:
        """Decode films, folders and archives into this session, prior before current; what came of each.

        Films taken between two questions come with the second one: it is about the current one of them.
        """
        found = self._read(films)
        self._keep(found)
        return found

    @property
    def studies(self) -> StudyInput:
        """The films of the session that were acquired, as studies."""
        acquired = (film for film in self._radiographs() if film.derived is None)
        return StudyInput(arrange(self._taken.get(film.id) or StudyFilm(film, "") for film in acquired))

    def ask(self, question: str, films: Sequence[Film] = ()) -> Answer:
        """The answer to one question, about the films given now or before.

        Raises:
            BadArguments: the question is empty.
            FilmRefused: films were given and none of them can be used; the reason of the first.
            Busy, Unavailable: another question is being answered; the planner cannot be reached.
        """
        for event in self.stream(question, films):
            if isinstance(event, Answered):
                return event.answer
        raise RuntimeError("the stream of a turn ended without an answer")

    async def aask(self, question: str, films: Sequence[Film] = ()) -> Answer:
        """As ask."""
        async for event in self.astream(question, films):
            if isinstance(event, Answered):
                return event.answer
        raise RuntimeError("the stream of a turn ended without an answer")

    def stream(self, question: str, films: Sequence[Film] = ()) -> Iterator[Event]:
        """What happens while the question is answered; the last event is Answered."""
        with self._one_turn(question, films) as (turn, messages, taken):
            if taken is not None:
                yield taken
                _usable(taken.found)
            for piece in self._graph.stream({"messages": messages}, self._config, stream_mode=STREAM_MODES):
                yield from turn.read(piece)
            yield self._finished(turn)

    async def astream(self, question: str, films: Sequence[Film] = ()) -> AsyncIterator[Event]:
        """As stream."""
        with self._one_turn(question, films) as (turn, messages, taken):
            if taken is not None:
                yield taken
                _usable(taken.found)
            async for piece in self._graph.astream({"messages": messages}, self._config, stream_mode=STREAM_MODES):
                for event in turn.read(piece):
                    yield event
            yield self._finished(turn)

    @contextmanager
    def _one_turn(
        self, question: str, films: Sequence[Film]
    ) -> Iterator[tuple[Turn, list[BaseMessage], FilmsTaken | None]]:
        if not question.strip():
            raise BadArguments("The question is empty.", "Ask in plain words, e.g. 'Is there a pleural effusion?'.")
        if not self._turn.acquire(blocking=False):
            raise Busy("This session is answering another question.", "Wait for its answer, or open another session.")
        try:
            found = self.take(films) if films else None
            taken = FilmsTaken(found, {e.film.id: self.films.name(e.film.id) for e in found.films}) if found else None
            settings = self._agent.settings
            limits = {"planner_calls": settings.max_planner_calls, "tool_calls": settings.max_tool_calls}
            turn = Turn(question, self._agent.planner_name, self.ledger, limits)
            with planner_failures(self._agent.planner_name, settings):
                yield turn, [*self._unanswered(), self._question(question)], taken
        finally:
            self.ledger.drop_unfinished()
            self._turn.release()

    @property
    def _config(self) -> RunnableConfig:
        steps = STEPS_PER_CALL * (self._agent.settings.max_planner_calls + 1)
        return {"configurable": {"thread_id": self.id}, "recursion_limit": steps}

    def _read(self, films: Sequence[Film]) -> StudyInput:
        files = contents([film for film in films if not isinstance(film, Radiograph)])
        opened = (film for film in films if isinstance(film, Radiograph))
        return group(chain(files, opened), self.films.max_bytes - self.films.used_bytes, held=self.films)

    def _keep(self, found: StudyInput) -> None:
        for each in found.films:
            self.films.add(each.film)
            self._taken.setdefault(each.film.id, each)
            self._new[each.film.id] = each
        self._notes += input_notes(found)

    def _question(self, question: str) -> HumanMessage:
        added = [each.film.id for each in StudyInput(arrange(self._new.values())).to_read()]
        about = {"films": listed(self._radiographs(), self.studies), "added": added}
        return HumanMessage(content=question, id=uuid4().hex, additional_kwargs={FILMS_KEY: about})

    def _finished(self, turn: Turn) -> Answered:
        roles = self.studies.roles()
        images = [
            film.facts() | {"name": self.films.name(film.id), "role": roles.get(film.id)}
            for film in self._radiographs()
        ]
        answered = turn.finish(images, self._notes)
        self._new, self._notes = {}, []
        return answered

    def _unanswered(self) -> list[BaseMessage]:
        """What undoes a turn that was broken off: a provider refuses calls that have no results."""
        messages: list[BaseMessage] = self._graph.get_state(self._config).values.get("messages", [])
        last = messages[-1] if messages else None
        if last is None or (isinstance(last, AIMessage) and not last.tool_calls):
            return []
        asked = max(n for n, message in enumerate(messages) if isinstance(message, HumanMessage))
        return [RemoveMessage(id=REMOVE_ALL_MESSAGES), *messages[:asked]]

    def _system_prompt(self) -> str:
        return prompt("system", films=told_films(self._radiographs(), self.studies))

    def _radiographs(self) -> list[Radiograph]:
        return [self.films.get(film_id) for film_id in self.films.ids()]


def _usable(found: StudyInput) -> StudyInput:
    """The same, if there is a film in it; else FilmRefused with the first reason."""
    if not found.films and found.refused:
        raise found.refused[0].reason
    return found


__all__ = ["Film", "Session"]
