"""Synthetic chest films with exact truth.

film = make_phantom(PhantomSpec(seed=3, findings=(parse_finding("effusion:left:400ml"),)))
film.radiograph, film.masks["effusion_left"], film.measures["cardiothoracic_ratio"]
"""

from imaging.phantom.batch import make_phantoms
from imaging.phantom.files import write_phantom
from imaging.phantom.film import PhantomFilm, make_phantom
from imaging.phantom.findings import FINDINGS, LOBES, SIDES, ZONES, FindingSpec, parse_finding
from imaging.phantom.progress import progression
from imaging.phantom.spec import PhantomSpec, parse_clip

__all__ = [
    "FINDINGS",
    "LOBES",
    "SIDES",
    "ZONES",
    "FindingSpec",
    "PhantomFilm",
    "PhantomSpec",
    "make_phantom",
    "make_phantoms",
    "parse_clip",
    "parse_finding",
    "progression",
    "write_phantom",
]
