"""Agents with an index of past cases: each archive is filmed, written and indexed once, in a home of its own."""

from __future__ import annotations

from pathlib import Path

from agent import Agent
from evals.phantom_cases.case import Case
from imaging.phantom import PhantomSpec, make_phantom
from tools.cases.building import build_index
from tools.cases.entries import folder_entries


class Archives:
    """The agent for each case: the one given, or one whose home holds the case's archive; models are shared.

    Args:
        agent: who answers.
        folder: where films and homes lie.
    """

    def __init__(self, agent: Agent, folder: Path) -> None:
        self._agent, self._folder = agent, folder
        self._made: dict[tuple[PhantomSpec, ...], Agent] = {}

    def agent_of(self, case: Case) -> Agent:
        """Raises Unavailable where no model here embeds films."""
        if not case.archive:
            return self._agent
        if case.archive not in self._made:
            self._made[case.archive] = self._with(case.archive)
        return self._made[case.archive]

    def _with(self, archive: tuple[PhantomSpec, ...]) -> Agent:
        home = self._folder / f"home-{len(self._made)}"
        films = home / "films"
        films.mkdir(parents=True)
        for number, spec in enumerate(archive):
            make_phantom(spec).write_dicom(films / f"{number:03}.dcm")
        for _ in build_index(folder_entries([films]), self._agent.models, home):
            pass
        settings = self._agent.settings.model_copy(update={"state_dir": home})
        return Agent(settings, models=self._agent.models)


__all__ = ["Archives"]
