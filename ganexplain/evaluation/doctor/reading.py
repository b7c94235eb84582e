"""Is the critic given its images as it was trained: range, mean and std, channel order, resize?"""

from __future__ import annotations

import torch

from ganexplain.evaluation.doctor import ranges
from ganexplain.evaluation.doctor.case import LIMIT, Case
from ganexplain.evaluation.doctor.contest import LARGE_GAIN, SURELY, Contest, Reading
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.evaluation.doctor.fingerprint import FITS
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import auc

LOST = 0.6  # AUC under which a critic cannot be said to work as declared


def span(case: Case) -> Finding:
    """The range that the images themselves fill."""
    topic, parts = Topic("image range", "lowest pixel"), case.parts
    if not case.pictures:
        return topic.skip(f"{case.critic.form.many} have no common range")
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
    ranges = case.ranges
    if ranges is None:
        return topic.skip(case.lacking)
    own, better = _in_words(case.critic.preprocess), ranges.better
    value, details = _compared(ranges), _numbers(ranges)
    known = len(ranges.others) + ranges.refused
    unread = f" ({ranges.refused} of {known} cannot be judged at all)" if ranges.refused else ""
    if not better:
        measured = "separates reals and fakes clearly better" if ranges.thresholded else "has a clearly better AUC"
        measured = measured if ranges.declared.judged else "fits clearly better"
        told = f"no other common range {measured} than {own}"
        return topic.ok(value, f"{told}{_fitting(ranges)}{unread}", details)
    spelled = " or ".join(_spelled(ranges.others[word].reads) for word in better)
    advice = f"declare what the model was trained on: Preprocess with {spelled}"
    if len(better) > 1:
        advice += f"; they fit alike, and {better[0]} is the commonest of them"
    sentence, worst = _mistaken(ranges, own)
    found = (topic.fail if worst else topic.warn)(value, f"{sentence}{unread}", advice, details)
    return found.proposing(ranges.best.proposal, ranges.certainty(better[0]), ranges.evidence(better[0]))


def _mistaken(ranges: Contest, own: str) -> tuple[str, bool]:
    """What the better ranges do in words, and whether the declared one makes explanations misleading."""
    declared, better = ranges.declared, ranges.better
    if ranges.by_fit:
        sentence = f"read as {better[0]} {_fed(ranges.others[better[0]])} from what they saw in training"
        return f"{sentence}; read as declared, in {own}, {_fed(declared)}", ranges.fits(better[0]) == "certain"
    accurate = any(ranges.more_accurate(word) for word in better)
    said = ", ".join(f"as {word} {_told(ranges.others[word], accurate)}" for word in better)
    sentence = f"read {said}; read as declared, in {own}, {_told(declared, accurate)}"
    turned = ranges.others[better[0]].sign != declared.sign
    return sentence, accurate or turned or auc(*declared.turned) < LOST


def channel_order(case: Case) -> Finding:
    """Red and blue exchanged, in the range that the model seems to want."""
    topic = Topic("channel order", "gain in AUC of red and blue exchanged")
    orders = case.orders
    if orders is None:
        grey = any(part.shape[1] != 3 for part in case.parts) or case.critic.preprocess.channels == 1
        return topic.skip("the images or the model are grey" if grey and case.pictures else case.lacking)
    (word, other), declared = next(iter(orders.others.items()), ("", orders.declared)), orders.declared
    details = _numbers(orders, exchanged=True)
    if not orders.better:
        change = orders.gain(word)[0] if word and declared.judged else None
        said = "" if change is None else f"exchanging red and blue changes the AUC by {change:+.3f}"
        return topic.ok(change, (said or "the declared order fits best") + _fitting(orders), details)
    areas = f"the AUC is {auc(other.real, other.fake):.3f}, else only {auc(declared.real, declared.fake):.3f}"
    fits = f"BatchNorm layers are off by {_off(other)}, else by {_off(declared)}" if orders.fitted else ""
    told = " and ".join(part for part in (areas if other.judged else "", fits) if part)
    names = {"rgb": "red, green, blue", "bgr": "blue, green, red (OpenCV's order)"}
    advice = f"the model reads {names[word]}: declare Preprocess with order={word!r}"
    wrong = other.judged and declared.area < LOST
    found = topic.fail if wrong or orders.fits(word) == "certain" else topic.warn
    seen = found(orders.gain(word)[0] if other.judged else None, f"with red and blue exchanged {told}", advice, details)
    return seen.proposing(other.proposal, orders.certainty(word), orders.evidence(word))


def resize(case: Case) -> Finding:
    """Whether a verdict hangs on how images are brought to the declared size, and which way the model seems to want."""
    topic, reads = Topic("resize", "largest share of verdicts that flip"), case.critic.preprocess
    parts = [part[:LIMIT] for part in case.parts]
    if reads.shape is None or not case.pictures:
        return topic.skip("the critic declares no size")
    if all(tuple(part.shape[-2:]) == reads.shape for part in parts):
        return topic.skip(f"the images come in the declared size {reads.shape[1]}x{reads.shape[0]}")
    base, cut = case.ordered, case.critic.threshold
    modes = case.contest(base.critic, ranges.resizes(base.reads), base=base)
    own = _logits(base) < cut
    flips = {mode: float(((_logits(other) < cut) != own).double().mean()) for mode, other in modes.others.items()}
    if not flips:
        return topic.skip("no other way of resizing can be judged")
    worst = max(flips, key=lambda mode: flips[mode])
    sentence = f"resizing by {worst!r} and not {reads.resize!r} flips {flips[worst]:.0%} of the verdicts"
    better = _resized(case, modes)
    if better:
        best = modes.others[better]
        advice = f"declare how the model's images were resized: Preprocess with resize={better!r}"
        told = f"{sentence}; {better!r} fits what the model was trained on better: {modes.evidence(better)}"
        found = topic.warn(flips[worst], told, advice, flips)
        return found.proposing(best.proposal, "likely", modes.evidence(better))
    if flips[worst] <= 0.05:
        return topic.ok(flips[worst], sentence, flips)
    advice = "resize once, as the model was trained, and say how where you report a verdict"
    return topic.warn(flips[worst], sentence, advice, flips)


def _resized(case: Case, modes: Contest) -> str:
    """The way of resizing that the model clearly wants; empty where none is, or where only one kind is resized."""
    shapes = {tuple(part.shape[-2:]) for part in case.parts}
    if len(shapes) > 1 or not modes.better:
        return ""
    best = modes.better[0]
    fit = modes.others[best].fit
    if modes.by_fit:
        return best if fit is not None and fit.distance < FITS else ""
    change, error = modes.gain(best)
    return best if change > LARGE_GAIN and change > SURELY * error else ""


def _logits(reading: Reading) -> torch.Tensor:
    return torch.cat([reading.real, reading.fake])


def _compared(contest: Contest) -> float | None:
    """The largest gain in AUC of another reading."""
    if not contest.declared.judged:
        return None
    return max((contest.gain(word)[0] for word in contest.others), default=None)


def _numbers(contest: Contest, *, exchanged: bool = False) -> dict[str, float]:
    """AUC, accuracy and distance of every reading, by name."""
    named = {"declared": contest.declared}
    named |= {"exchanged" if exchanged else word: other for word, other in contest.others.items()}
    details = {word: one.area for word, one in named.items() if one.judged}
    if contest.thresholded and contest.declared.judged and not exchanged:
        details |= {f"accuracy {word}": one.accuracy for word, one in named.items()}
    return details | {f"fit {word}": one.fit.distance for word, one in named.items() if one.fit is not None}


def _fitting(contest: Contest) -> str:
    fit = contest.declared.fit
    return "" if fit is None else f"; its BatchNorm layers are off by {fit.distance:.2g} from what they saw in training"


def _fed(reading: Reading) -> str:
    area = f"the AUC is {reading.area:.3f} and " if reading.judged else ""
    return f"{area}the BatchNorm layers are off by {_off(reading)}"


def _off(reading: Reading) -> str:
    return "nothing known" if reading.fit is None else f"{reading.fit.distance:.2g}"


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
