"""A critic that cannot judge the images at all: what would let it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganexplain.evaluation.doctor import ranges
from ganexplain.evaluation.doctor.answers import SLACK, diagnosis, raw
from ganexplain.evaluation.doctor.case import LIMIT, Case
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import Preprocess

PROBES = 4  # images that other wirings are tried on
SIDES = (28, 32, 64, 96, 128, 224, 256, 299, 512)
EXPECTED = (ValueError, TypeError, RuntimeError, NotImplementedError)  # what models raise on images they do not stand


def failure(case: Case, error: Exception) -> Finding:
    """The model's own words, and another reading that it does stand.

    Args:
        case: whose critic raised.
        error: what it raised.
    """
    topic, words = Topic("runs", "images"), f"the critic cannot judge these images: {' '.join(str(error).split())}"
    if not case.pictures:
        return topic.fail(0.0, words, "see what the model expects: number and order of its inputs, and their scaling")
    critic, images = case.critic, case.some(PROBES)
    found = _values(critic, images)
    if found is not None:
        seen = _answered(topic, words, critic, found)
        return seen if seen.proposal else _other_range(case, seen)
    for reads in _readings(critic.preprocess, images):
        other = critic.with_preprocess(reads)
        found = _values(other, images)
        if found is None:
            continue
        said = {**ranges.proposal(critic.preprocess, reads), **_kind(critic, found)}
        advice = f"declare what it reads: {_spelled(said)}"
        evidence = "the model judges images so, and not as declared"
        return topic.fail(0.0, words, advice).proposing(said, "likely", evidence)
    return topic.fail(0.0, words, "see what the model expects: channels, size, range, output and pool")


def _answered(topic: Topic, words: str, critic: Critic, values: Tensor) -> Finding:
    """The network runs, but its output is not what was declared."""
    low, high = float(values.min()), float(values.max())
    if not bool(torch.isfinite(values).all()):
        bad = int((~torch.isfinite(values)).flatten(1).any(1).sum()) if values.ndim > 1 else len(values)
        sentence = f"the model's output is NaN or infinite for {bad} of {len(values)} images"
        return topic.fail(0.0, sentence, "look for broken weights, or a range of images far beyond the trained one")
    said = diagnosis(values, critic.kind, critic.kind)
    if said.sentence and not said.proposal:
        return topic.fail(0.0, said.sentence, said.advice)
    proposal = _kind(critic, values)
    if not proposal:
        return topic.fail(0.0, words, "see what the model expects: channels, size, range, output and pool")
    evidence = f"outputs {tuple(values.shape)} in [{low:.3g}, {high:.3g}]"
    return topic.fail(0.0, words, f"say {_spelled(proposal)}").proposing(proposal, "likely", evidence)


def _other_range(case: Case, seen: Finding) -> Finding:
    """The finding with the one common range in which the critic can judge the images, where there is one."""
    critic, working = case.critic, []
    for word, reads in ranges.ranges(critic.preprocess, case.parts[0].shape[1]).items():
        try:
            for part in case.parts:
                case.score(part[:LIMIT], critic.with_preprocess(reads))
        except EXPECTED as error:
            working.append((word, reads, str(error)))
        else:
            working.append((word, reads, ""))
    able = [(word, reads) for word, reads, error in working if not error]
    if not able:
        return seen
    words, said = " or ".join(word for word, _ in able), ranges.proposal(critic.preprocess, able[0][1])
    told = replace(seen, sentence=f"{seen.sentence}; read as {words} it can", advice=f"declare {words}, if that is so")
    return told.proposing(said, "likely" if len(able) == 1 else "undecided", f"can be judged as {words} alone")


def _kind(critic: Critic, values: Tensor) -> dict[str, Any]:
    """The output and pool that a spec would say for numbers of this shape; empty where the declared ones will do."""
    unit = bool((values >= -SLACK).all() and (values <= 1 + SLACK).all())
    if values.ndim > 1 and values.shape[1] > 1 and values[0].numel() > values.shape[1]:
        return {}  # features at several places are no classes
    if values.ndim > 1 and values.shape[1] > 1:
        sums = bool((values.flatten(1).sum(1) - 1).abs().max() < 1e-3)
        wanted = "class_probabilities" if unit and sums else "classes"
        return {} if critic.kind == wanted else {"critic.output": wanted}
    said: dict[str, Any] = {}
    if critic.kind in ("classes", "class_probabilities"):
        said["critic.output"] = "probability" if unit else "logit"
    elif critic.kind == "probability" and not unit:
        said["critic.output"] = "logit"
    if values.numel() > len(values) and critic.pool is None:
        said["critic.pool"] = "mean"
    return said


def _values(critic: Critic, images: Tensor) -> Tensor | None:
    try:
        found = raw(critic, images)
    except EXPECTED:  # the next reading is tried
        return None
    return found.detach().double() if isinstance(found, Tensor) and found.ndim else None


def _readings(declared: Preprocess, images: Tensor) -> Iterator[Preprocess]:
    """Other numbers of channels, then other sizes, the nearest first, then both."""
    side = max(images.shape[-2:])
    sizes = [None, *sorted({*SIDES, side}, key=lambda s: abs(s - side))]
    have = declared.channels or images.shape[1]
    for size in sizes:
        for channels in (have, 4 - have if have in (1, 3) else 3):
            shape = declared.size if size is None else size
            reads = replace(declared, size=shape)
            if channels != have:
                reads = replace(reads, channels=channels, mean=None, std=None)
            if reads != declared:
                yield reads


def _spelled(said: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.rpartition('.')[2]}={value!r}" for key, value in said.items())
