"""Examples that work at once: a synthetic film whose truth is known, and a question about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imaging.phantom import PhantomSpec, make_phantom, parse_finding


@dataclass(frozen=True)
class Example:
    """One example.

    Attributes:
        question: what is asked.
        film: what the film shows, in words.
        findings: what the film shows, as imaging.phantom.parse_finding reads it.
        seed: the synthetic patient.
    """

    question: str
    film: str
    findings: tuple[str, ...]
    seed: int

    def write(self, path: Path) -> None:
        """Make the film and write it as a DICOM file."""
        spec = PhantomSpec(seed=self.seed, findings=tuple(parse_finding(text) for text in self.findings))
        make_phantom(spec).write_dicom(str(path))


EXAMPLES = (
    Example("Is there a pleural effusion, and on which side?", "left pleural effusion", ("effusion:left:600ml",), 7),
    Example("Is the heart enlarged?", "large heart", ("cardiomegaly:0.60",), 1),
    Example("Write a report.", "large heart and right effusion", ("cardiomegaly:0.58", "effusion:right:400ml"), 3),
    Example("Is this film normal?", "no finding", (), 2),
)
