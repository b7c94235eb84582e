"""Is the critic given its images as it was trained: range, mean and std, channel order, resize?"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ganexplain.evaluation.doctor.area import gain
from ganexplain.evaluation.doctor.finding import Case, Finding, Topic
from ganexplain.models.critic import auc
from ganexplain.models.preprocess import RESIZES, Preprocess

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # means and deviations of [0, 1] pixels of ImageNet
CLEARLY = 2.58  # standard errors of a difference of AUCs: several alternatives are tried, so 99 % and not 95 %
BETTER = 0.02  # AUC that is worth a warning
LOST = 0.6  # AUC under which a critic cannot be said to work as declared
LIMIT = 100  # images of a kind that alternatives are tried on

Pair = tuple[Tensor, Tensor]


def span(case: Case) -> Finding:
    """The range that the images themselves fill."""
    topic, parts = Topic("image range", "lowest pixel"), [p for p in (case.real, case.fake) if p is not None]
    low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    details = {"low": low, "high": high}
    if high - low < 0.2:
        sentence = f"your images span only [{low:.2g}, {high:.2g}]"
        return topic.warn(low, sentence, "check how they were read; black is -1 and white 1", details)
    if low > -0.02:
        sentence = f"your images span [{low:.2g}, {high:.2g}]: were they converted from [0, 1]?"
        return topic.warn(
            low, sentence, "images are given in [-1, 1] here, whatever the model reads: x * 2 - 1", details
        )
    return topic.ok(low, f"the images span [{low:.2g}, {high:.2g}]", details)


def declared_range(case: Case) -> Finding:
    """Other ranges, means and deviations that are common, against the declared one."""
    topic = Topic("declared range", "gain in AUC of the best other range")
    if case.both is None:
        return topic.skip(case.lacking)
    declared = case.critic.preprocess
    others = {word: reads for word, reads in _alternatives(case).items() if reads != declared}
    before = case.real_logits[:LIMIT], case.fake_logits[:LIMIT]
    details, gains, refused = {"declared": auc(*before)}, {}, 0
    for word, reads in others.items():
        try:
            after = _read_as(case, reads)
        except ValueError:  # fed bytes, a probability saturates or overflows: then that range is not the right one
            refused += 1
            continue
        details[word], gains[word] = auc(*after), gain(before, after)
    unread = f" ({refused} of {len(others)} cannot be judged at all)" if refused else ""
    own, ranked = _in_words(declared), sorted(gains, key=lambda word: -gains[word][0])
    value = gains[ranked[0]][0] if ranked else None
    better = [word for word in ranked if _clear(gains[word])]
    if not better:
        sentence = f"no other common range separates reals and fakes clearly better than {own}{unread}"
        return topic.ok(value, sentence, details)
    said = ", ".join(f"as {word} the AUC is {details[word]:.3f}" for word in better)
    sentence = f"read {said}, read as {own} only {details['declared']:.3f}{unread}"
    spelled = " or ".join(_spelled(others[word]) for word in better)
    found = topic.fail if details["declared"] < LOST else topic.warn
    return found(value, sentence, f"declare what the model was trained on: Preprocess with {spelled}", details)


def channel_order(case: Case) -> Finding:
    """Red and blue exchanged."""
    topic = Topic("channel order", "gain in AUC of blue, green, red")
    if case.both is None:
        return topic.skip(case.lacking)
    real, fake = case.both
    if real.shape[1] != 3 or fake.shape[1] != 3 or case.critic.preprocess.channels == 1:
        return topic.skip("the images or the model are grey")
    before = case.real_logits[:LIMIT], case.fake_logits[:LIMIT]
    after = case.score(real[:LIMIT].flip(1)), case.score(fake[:LIMIT].flip(1))
    better, details = gain(before, after), {"declared": auc(*before), "exchanged": auc(*after)}
    if not _clear(better):
        return topic.ok(better[0], f"exchanging red and blue changes the AUC by {better[0]:+.3f}", details)
    sentence = f"with red and blue exchanged the AUC is {details['exchanged']:.3f}, else only {details['declared']:.3f}"
    advice = "the model reads blue, green, red (OpenCV's order): flip the channels in front of it"
    found = topic.fail if details["declared"] < LOST else topic.warn
    return found(better[0], sentence, advice, details)


def resize(case: Case) -> Finding:
    """Whether a verdict hangs on how images are brought to the declared size."""
    topic, reads = Topic("resize", "largest share of verdicts that flip"), case.critic.preprocess
    parts = [part[:LIMIT] for part in (case.real, case.fake) if part is not None]
    if reads.shape is None:
        return topic.skip("the critic declares no size")
    if all(tuple(part.shape[-2:]) == reads.shape for part in parts):
        return topic.skip(f"the images come in the declared size {reads.shape[1]}x{reads.shape[0]}")
    cut = case.critic.calibration.threshold if case.critic.calibration else 0.0
    variants = {mode: case.critic.with_preprocess(replace(reads, resize=mode)) for mode in RESIZES}
    called = {mode: torch.cat([case.score(part, v) for part in parts]) < cut for mode, v in variants.items()}
    own = called.pop(reads.resize)
    flips = {mode: float((other != own).double().mean()) for mode, other in called.items()}
    worst = max(flips, key=lambda mode: flips[mode])
    sentence = f"resizing by {worst!r} and not {reads.resize!r} flips {flips[worst]:.0%} of the verdicts"
    if flips[worst] <= 0.05:
        return topic.ok(flips[worst], sentence, flips)
    advice = "resize once, as the model was trained, and say how where you report a verdict"
    return topic.warn(flips[worst], sentence, advice, flips)


def _alternatives(case: Case) -> dict[str, Preprocess]:
    declared = case.critic.preprocess
    ranges = {"[-1, 1]": (-1.0, 1.0), "[0, 1]": (0.0, 1.0), "[0, 255]": (0.0, 255.0)}
    found = {word: replace(declared, value_range=r, mean=None, std=None) for word, r in ranges.items()}
    if (declared.channels or case.some(1).shape[1]) == 3:
        mean, std = IMAGENET
        found["ImageNet mean and std"] = replace(declared, value_range=(0.0, 1.0), mean=mean, std=std)
    return found


def _read_as(case: Case, reads: Preprocess) -> Pair:
    if case.both is None:
        raise ValueError(case.lacking)
    critic = case.critic.with_preprocess(reads)
    return case.score(case.both[0][:LIMIT], critic), case.score(case.both[1][:LIMIT], critic)


def _in_words(reads: Preprocess) -> str:
    low, high = reads.value_range
    return f"[{low:g}, {high:g}]" + (" with mean and std" if reads.mean or reads.std else "")


def _spelled(reads: Preprocess) -> str:
    low, high = reads.value_range
    said = f"value_range=({low:g}, {high:g})"
    return said if reads.mean is None else f"{said}, mean={reads.mean}, std={reads.std}"


def _clear(better: tuple[float, float]) -> bool:
    return better[0] > BETTER and better[0] > CLEARLY * better[1]
