"""How good a generator is, in numbers: distances, neighbours, classes, each in a stated feature space."""

from ganexplain.training.metrics.classes import PRESENT, Modes, histogram, kl, modes_2d, present
from ganexplain.training.metrics.classifier import Classifier
from ganexplain.training.metrics.distances import KID, frechet, kid
from ganexplain.training.metrics.features import Components, Extractor, Module, Standardised, extractor_for
from ganexplain.training.metrics.measure import Measure, critic_means, measure
from ganexplain.training.metrics.neighbours import (
    Neighbourhoods,
    coverage,
    density,
    diversity,
    memorisation,
    neighbourhoods,
    precision,
    recall,
)

__all__ = [
    "KID",
    "PRESENT",
    "Classifier",
    "Components",
    "Extractor",
    "Measure",
    "Modes",
    "Module",
    "Neighbourhoods",
    "Standardised",
    "coverage",
    "critic_means",
    "density",
    "diversity",
    "extractor_for",
    "frechet",
    "histogram",
    "kid",
    "kl",
    "measure",
    "memorisation",
    "modes_2d",
    "neighbourhoods",
    "precision",
    "present",
    "recall",
]
