"""One conversation: its films, its evidence, its memory. Nothing of it is shared with another session."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import finalize

from anyio import CancelScope, to_thread
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from agent.answer import Answer
from agent.approval import Approver
from agent.claims import Judge
from agent.corrected import restored
from agent.draft import REPORT_TOOL, Draft, draft_of
from agent.events import Answered, Event, FilmsTaken, answer_of
from agent.faults import Busy, MemoryRefused
from agent.films import FILMS_KEY, input_notes, listed, told_films
from agent.graph import build_graph
from agent.ledger import EvidenceLedger
from agent.memory import RememberedTurn
from agent.memory.engines import is_refusal, refusals_told
from agent.memory.holding import HOLD_S, new_holder
from agent.running import Running, closed
from agent.transcript import log_opening, log_turn
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
ENDING_S = 60.0
"""How long a question waits for the turn before it, which was stopped, to really end."""


class Session:
    """One conversation with an Agent. Answers one question at a time; a second one meanwhile is refused as Busy.

    Attributes:
        id, owner: under which the agent's memory keeps it.
        films, ledger: its films and its evidence.
        approver: asked before each call of a tool in Settings.ask_before; None: nobody can be, and it does not run.
    """

    def __init__(self, agent: Agent, owner: str = "", *, reopen: str | None = None) -> None:
        """A new session, or one that the agent's memory holds; made by Agent.session and Agent.reopen.

        Args:
            agent: whose planner, tools and models answer.
            owner: to whom it belongs.
            reopen: id of the kept session.

        Raises:
            BadArguments: that owner has no session of that id.
        """
        self.id = reopen or uuid4().hex
        self.owner = owner
        self.films = ImageStore(kept=self._keep_made)
        self.approver: Approver | None = None
        self._agent = agent
        self._memory = agent.memory
        self._taken: dict[str, StudyFilm] = {}
        self._new: dict[str, StudyFilm] = {}
        self._notes: list[str] = []
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._running: Running | None = None
        self._holder = new_holder()
        self._whole = False
        if reopen:
            self._memory.require(reopen, owner)
            for each in self._memory.films(self.id):
                self.films.add(each.film)
                self._taken[each.film.id] = each
        else:
            self._memory.begin(self.id, owner)
            log_opening(self._memory, self.id, agent)
            if not self._memory.lasting:
                finalize(self, self._memory.forget, self.id)
        self.ledger = EvidenceLedger(self._memory, self.id)
        self._judge = Judge(self.ledger)
        self._graph = build_graph(
            agent.planners,
            agent.tools,
            ToolContext(
                films=self.films,
                models=agent.models,
                stopped=self._stopped,
                corrections=restored(self.ledger.records()),
                home=agent.settings.state_dir.expanduser(),
            ),
            self.ledger,
            self._system_prompt,
            agent.settings,
            lambda: self.approver,
            self._memory.checkpointer(),
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

    @property
    def turns(self) -> list[RememberedTurn]:
        """What was asked and answered, in order."""
        return self._memory.turns(self.id)

    def draft(self, turn: int | None = None) -> Draft:
        """The report of a turn as far as its reader is with it (agent.draft); of the latest answered one by default.

        Args:
            turn: number of an answered turn; left out, the latest that drafted a report, else the latest.

        Raises:
            BadArguments: nothing was answered, or not in that turn.
        """
        answered = {each.number: each.answer for each in self.turns if each.answer is not None}
        reported = [n for n, answer in answered.items() if any(r.tool == REPORT_TOOL for r in answer.evidence)]
        number = turn or max(reported or answered, default=0)
        if number not in answered:
            told = ", ".join(map(str, answered)) or "none"
            raise BadArguments(f"Turn {number} has no answer to make a report of.", f"Answered turns: {told}.")
        return self._memory.draft(self.id, number) or draft_of(answered[number], number)

    def keep_draft(self, draft: Draft) -> Draft:
        """Keep what a reader decided; the draft with its new version. A signature goes into the transcript.

        Raises:
            BadArguments: it was changed elsewhere since it was read.
        """
        kept = self._memory.keep_draft(self.id, draft)
        if kept.signature is not None:
            self.log("signed", {"turn": kept.turn, "version": kept.version, "by": kept.signature.name})
        return kept

    def rate(self, turn: int, good: bool, note: str = "") -> None:
        """Keep in the transcript what the user thinks of a turn's answer."""
        self.log("rated", {"turn": turn, "good": good, "note": note})

    @property
    def interrupted(self) -> str:
        """The question that was cut off and can be gone on with by `resume`; empty if there is none."""
        last = self.turns[-1:]
        return last[0].question if last and last[0].answer is None and not self._turn.locked() else ""

    def ask(self, question: str, films: Sequence[Film] = ()) -> Answer:
        """The answer to one question, about the films given now or before.

        Raises:
            BadArguments: the question is empty.
            FilmRefused: films were given and none of them can be used; the reason of the first.
            Busy, Unavailable: another question is being answered; the planner cannot be reached.
        """
        return answer_of(self.stream(question, films))

    async def aask(self, question: str, films: Sequence[Film] = ()) -> Answer:
        """As ask; cancelling it stops the turn."""
        async for event in self.astream(question, films):
            if isinstance(event, Answered):
                return event.answer
        raise RuntimeError("the stream of a turn ended without an answer")

    def stream(self, question: str, films: Sequence[Film] = ()) -> Iterator[Event]:
        """What happens while the question is answered; the last event is Answered."""
        if not question.strip():
            raise BadArguments("The question is empty.", "Ask in plain words, e.g. 'Is there a pleural effusion?'.")
        with self._one_turn() as running:
            found = self.take(films) if films else None
            if found is not None:
                yield FilmsTaken(found, {each.film.id: self.films.name(each.film.id) for each in found.films})
                _usable(found)
            added = [each.film.id for each in StudyInput(arrange(self._new.values())).to_read()]
            number = self._memory.begin_turn(self.id, question, self._agent.planner_name, added)
            messages = [*self._unanswered(), self._question(question, added)]
            self._whole = False
            yield from self._answered(running, number, question, {"messages": messages})

    async def astream(self, question: str, films: Sequence[Film] = ()) -> AsyncIterator[Event]:
        """As stream; cancelling it stops the turn."""
        events = self.stream(question, films)
        try:
            while (event := await to_thread.run_sync(next, events, None, abandon_on_cancel=True)) is not None:
                yield event
        finally:
            self.stop()
            with CancelScope(shield=True):
                await to_thread.run_sync(closed, events, ENDING_S)

    def resume(self) -> Iterator[Event]:
        """Go on with the question that was cut off (by a crash, say): what its tools gave is not made again.

        Raises:
            BadArguments: no question was cut off.
            Busy: it is being answered, here or in another process.
        """
        with self._one_turn() as running:
            last = self.turns[-1:]
            if not last or last[0].answer is not None:
                raise BadArguments("No question of this session was cut off.", "Ask one.")
            turn = last[0]
            self.ledger.recall_unfinished()
            begun = self._graph.get_state(self._config).next
            given = None if begun else {"messages": [self._question(turn.question, list(turn.added))]}
            self.log("resumed", {"turn": turn.number})
            yield from self._answered(running, turn.number, turn.question, given)

    def stop(self) -> None:
        """End the running turn at once, with an answer that says what is known so far; does nothing without one."""
        running = self._running
        if running is not None:
            running.stop()

    def facts(self) -> list[dict[str, Any]]:
        """Facts of the session's films as a planner is told them: ids, views and spacing, no date and no patient."""
        return listed(self._radiographs(), self.studies)

    def transcript(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """What happened in this session, line by line: the audit log, and what a replay needs. All kinds if none named.

        Lines of a turn hold their evidence in `records`. It names films by their ids, and no patient.
        """
        for line in self._memory.transcript(self.id, *kinds):
            if line["kind"] == "turn":
                line["records"] = [record.model_dump(mode="json") for record in self.ledger.records(line["evidence"])]
            yield line

    def log(self, kind: str, facts: dict[str, Any]) -> None:
        """Add a line to the transcript."""
        self._memory.log(self.id, kind, facts)

    @contextmanager
    def _one_turn(self) -> Iterator[Running]:
        """The right to answer, here and among all processes that share the memory; until the graph has ended."""
        if not self._turn.acquire(timeout=ENDING_S if self._stopped.is_set() else 0):
            raise Busy("This session is answering another question.", "Wait for its answer, or open another session.")
        with ExitStack() as undo:
            undo.callback(self._turn.release)
            if not self._memory.hold(self.id, self._holder, HOLD_S):
                raise Busy("Another process answers in this session.", "Wait for its answer, or open another session.")
            undo.pop_all()
        settings = self._agent.settings
        hold = partial(self._memory.hold, self.id, self._holder, HOLD_S)
        running = self._running = Running(self._stopped, settings.max_turn_s, hold)
        try:
            with refusals_told():
                yield running
        finally:
            running.stop("left")
            running.when_ended(self._give_back)

    def _give_back(self) -> None:
        self.ledger.drop_unfinished()
        try:
            with suppress(MemoryRefused):  # the hold ends by itself after HOLD_S
                self._memory.release(self.id, self._holder)
        finally:
            self._running = None
            self._turn.release()

    def _answered(self, running: Running, number: int, question: str, given: Any) -> Iterator[Event]:
        """The events of one run of the graph, and the Answer at its end; a turn that fails is dropped.

        One whose memory failed stays open: once it works again, `resume` goes on with it.
        """
        settings = self._agent.settings
        turn = Turn(question, self._agent.planner_name, self._judge, settings)
        try:
            for piece in running.pieces(partial(self._graph.stream, given, self._config, **self._streaming)):
                yield from turn.read(piece)
                if limit := turn.over():
                    running.stop(limit)
        except Exception as error:
            if not is_refusal(error):
                self._memory.drop_turn(self.id, number)
                self.log("failed", {"turn": number, "error": type(error).__name__})
            raise
        self._whole = not running.why
        if running.why:
            turn.cut_short(running.why)
        answered = self._finished(turn)
        self._memory.end_turn(self.id, number, answered.answer)
        log_turn(self._memory, self.id, number, turn, answered.answer)
        yield answered

    @property
    def _streaming(self) -> dict[str, Any]:
        """How the graph runs: what a crash could lose is written after every step, where a crash leaves anything."""
        return {"stream_mode": STREAM_MODES, "durability": "async" if self._memory.lasting else "exit"}

    @property
    def _config(self) -> RunnableConfig:
        steps = STEPS_PER_CALL * (self._agent.settings.max_planner_calls + 1)
        return {"configurable": {"thread_id": self.id}, "recursion_limit": steps}

    def _read(self, films: Sequence[Film]) -> StudyInput:
        files = contents([film for film in films if not isinstance(film, Radiograph)])
        opened = (film for film in films if isinstance(film, Radiograph))
        return group(chain(files, opened), self.films)

    def _keep(self, found: StudyInput) -> None:
        for each in found.films:
            self._memory.keep_film(self.id, each)
            self.films.add(each.film)
            self._taken.setdefault(each.film.id, each)
            self._new[each.film.id] = each
        self._notes += input_notes(found)

    def _keep_made(self, film: Radiograph) -> None:
        """Films that a tool made come in without a file; of the others more was kept before."""
        self._memory.keep_film(self.id, StudyFilm(film, ""))

    def _question(self, question: str, added: list[str]) -> HumanMessage:
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
        if self._whole and not self._memory.lasting:  # another process may have left a lasting one otherwise
            return []
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
