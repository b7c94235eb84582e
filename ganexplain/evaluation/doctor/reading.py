"""Is the critic given its images as it was trained: range, mean and std, channel order, resize?"""

from __future__ import annotations

from dataclasses import replace

import torch

from ganexplain.evaluation.doctor.area import gain
from ganexplain.evaluation.doctor.finding import LIMIT, Case, Finding, Topic
from ganexplain.evaluation.doctor.ranges import Reading, clear
from ganexplain.models.critic import auc
from ganexplain.models.preprocess import RESIZES, Preprocess

LOST = 0.6  # AUC under which a critic cannot be said to work as declared


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
    """Other ranges, means and deviations that are common, against the declared one: AUC, and accuracy at logit 0."""
    topic = Topic("declared range", "gain in AUC of the best other range")
    ranges = case.ranges
    if ranges is None:
        return topic.skip(case.lacking)
    own, declared, better = _in_words(case.critic.preprocess), ranges.declared, ranges.better
    gains = {word: ranges.gain(word)[0] for word in ranges.others}
    details = {"declared": declared.area} | {word: other.area for word, other in ranges.others.items()}
    if ranges.thresholded:
        details |= {"accuracy declared": declared.accuracy}
        details |= {f"accuracy {word}": other.accuracy for word, other in ranges.others.items()}
    known = len(ranges.others) + ranges.refused
    unread = f" ({ranges.refused} of {known} cannot be judged at all)" if ranges.refused else ""
    if not better:
        measured = "separates reals and fakes clearly better" if ranges.thresholded else "has a clearly better AUC"
        value = max(gains.values(), default=None)
        return topic.ok(value, f"no other common range {measured} than {own}{unread}", details)
    spelled = " or ".join(_spelled(ranges.others[word].reads) for word in better)
    advice = f"declare what the model was trained on: Preprocess with {spelled}"
    accurate = any(ranges.more_accurate(word) for word in better)
    said = ", ".join(f"as {word} {_told(ranges.others[word], accurate)}" for word in better)
    sentence = f"read {said}; read as declared, in {own}, {_told(declared, accurate)}{unread}"
    turned = ranges.others[better[0]].sign != declared.sign
    found = topic.fail if accurate or turned or auc(*declared.turned) < LOST else topic.warn
    return found(gains[better[0]], sentence, advice, details)


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
    if not clear(better):
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


def _in_words(reads: Preprocess) -> str:
    low, high = reads.value_range
    return f"[{low:g}, {high:g}]" + (" with mean and std" if reads.mean or reads.std else "")


def _spelled(reads: Preprocess) -> str:
    low, high = reads.value_range
    said = f"value_range=({low:g}, {high:g})"
    return said if reads.mean is None else f"{said}, mean={reads.mean}, std={reads.std}"


def _told(reading: Reading, accurate: bool) -> str:
    said = f"the AUC is {reading.area:.3f}"
    if not accurate:
        return said
    turned = "" if reading.sign > 0 else " after turning the polarity"
    return f"{said}, {reading.accuracy:.0%} are right at its own threshold{turned} and {reading.saturated:.0%} saturate"
