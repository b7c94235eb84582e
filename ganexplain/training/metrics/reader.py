"""Which class a sample looks like: the head of the extractor where it has the classes, else a network fitted to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split
from ganexplain.training.metrics.classifier import Classifier
from ganexplain.training.metrics.features import Extractor

HIDDEN = 256
TRUSTED = 0.85  # accuracy below which a head that knows the classes by name is not taken at its word


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads classes of features.

    Attributes:
        name: what it is, in words.
        read: (N, k) features to (N,) int64 labels.
        accuracy: share of held-out samples that are read right.
    """

    name: str
    read: Callable[[Tensor], Tensor]
    accuracy: float


def reader_for(
    extractor: Extractor, data: DataSet, split: Split, held_out: Tensor, *, n_fit: int, seed: int
) -> Reader | None:
    """The reader of a set's classes; None where it has no labels, or fewer than two classes.

    Args:
        extractor: makes the features; its own head reads them where it knows the classes by name and is right on
            85 % of the held-out samples: other people's digits may be of quite another kind.
        data: labelled.
        split: which rows train.
        held_out: (H, k) features of ``split.held_out``, on which the accuracy is measured.
        n_fit: labelled training samples that a reader is fitted to.
        seed: decides which, and the fit.
    """
    labels = data.labels
    if labels is None or len(data.class_names) < 2:
        return None
    truth = labels[split.held_out]
    if extractor.classes == data.class_names:
        head = _judged(_head_name(extractor, data, split), cast(Any, extractor).read, held_out, truth)
        if head.accuracy >= TRUSTED:
            return head
    rows = split.train[torch.from_numpy(tensors.rng(seed, "reader").permutation(len(split.train))[:n_fit])]
    read = fitted(extractor(data.images[rows]), labels[rows], seed)
    name = f"scikit-learn MLPClassifier ({HIDDEN} hidden) on the features, fitted to {len(rows)} training samples"
    return _judged(name, read, held_out, truth)


def _judged(name: str, read: Callable[[Tensor], Tensor], held_out: Tensor, truth: Tensor) -> Reader:
    return Reader(name, read, float((read(held_out) == truth).double().mean()))


def _head_name(extractor: Extractor, data: DataSet, split: Split) -> str:
    """In words; of the bundled classifier also whether it was trained on samples that are held out here."""
    name = "the classes of the feature space's own network"
    if not isinstance(extractor, Classifier) or extractor.head["fingerprint"] != data.fingerprint:
        return name
    same = extractor.head["split"]["fingerprint"] == split.fingerprint
    return name if same else f"{name}, which was trained with another split and has seen some of the held-out images"


def fitted(features: Tensor, labels: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    """A small network fitted to features (N, k) and labels (N,); the same seed gives the same."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counts = labels.bincount()
    # a tenth is put aside, of every class, to tell when to stop; small sets cannot spare it
    spare = int(counts[counts > 0].min()) >= 2 and len(labels) >= 10 * int((counts > 0).sum())
    network = MLPClassifier(
        (HIDDEN,), alpha=1e-3, batch_size=min(128, len(labels)), early_stopping=spare, n_iter_no_change=4, max_iter=60,
        random_state=seed,
    )  # fmt: skip
    reader = make_pipeline(StandardScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what the reader is worth, its accuracy tells
        reader.fit(features.numpy(), labels.numpy())
    return lambda rows: torch.from_numpy(reader.predict(rows.numpy()))
