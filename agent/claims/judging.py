"""Who judges the sentences of one session, and remembers the verdicts."""

from __future__ import annotations

from agent.answer import Evidence
from agent.claims.quantities import Known, known
from agent.claims.verdicts import Judged, judged
from agent.ledger import EvidenceLedger


class Judge:
    """Holds sentences against one ledger; the same sentence and citations are judged once, as records never change."""

    def __init__(self, ledger: EvidenceLedger) -> None:
        self.ledger = ledger
        self._numbers: dict[str, list[Known]] = {}
        self._verdicts: dict[tuple[str, tuple[str, ...]], Judged] = {}

    def __call__(self, sentence: str, ids: tuple[str, ...]) -> Judged:
        """The verdict on a sentence without citations, by the records of these ids."""
        key = (sentence, ids)
        if key not in self._verdicts:
            self._verdicts[key] = judged(sentence, self.ledger.records(ids), self._numbers_of)
        return self._verdicts[key]

    def _numbers_of(self, record: Evidence) -> list[Known]:
        if record.id not in self._numbers:
            self._numbers[record.id] = known(record)
        return self._numbers[record.id]


__all__ = ["Judge"]
