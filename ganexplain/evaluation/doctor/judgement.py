"""Does the critic tell real from fake, the right way round, at its own threshold, and also off the beaten track?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganexplain.evaluation.doctor import answers, architecture, joint
from ganexplain.evaluation.doctor.case import CLASSES, Case
from ganexplain.evaluation.doctor.contest import LARGE
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.evaluation.doctor.fingerprint import FITS
from ganexplain.models.verdict import POOR_AUC, auc

SURELY_INVERTED = 0.4  # upper end of the AUC's interval that leaves no doubt
PLAIN = {"black": -1.0, "grey": 0.0, "white": 1.0}


def polarity(case: Case) -> Finding:
    """AUC with its interval: inverted, undecided, poor or good."""
    topic = Topic("polarity", "AUC")
    if case.both is None:
        return topic.skip(case.lacking)
    area, low, high = case.area
    said, details = f"AUC {area:.3f} (95 % interval {low:.3f} to {high:.3f})", {"low": low, "high": high}
    if case.inverted:
        return _inverted(topic, case, said, details)
    found = _upright(topic, case, said, details)
    if not case.finally_inverted:
        return found
    settled = case.settled
    told = f"AUC {settled.area:.3f} with what is found below"
    return replace(found, sentence=f"{found.sentence}; but {told}: inverted").proposing(
        _other_way(case)[1], "undecided" if doubts(case)[1] == "undecided" else "likely", told
    )


def _inverted(topic: Topic, case: Case, said: str, details: dict[str, float]) -> Finding:
    """The sign, or what else makes fakes score above reals."""
    area, _, high = case.area
    other, proposal = _other_way(case)
    doubt, sure = doubts(case)
    tried, sentence = case.joint, f"inverted: fakes score above reals, {said}"
    word = joint.upright(tried) if tried is not None and not case.batched[0] else ""
    if tried is None or not word:
        advice = f"say {other}" + (f", unless {doubt}" if doubt else "")
        found = topic.fail(area, sentence, advice, details)
        return found.proposing(
            proposal, sure or ("certain" if high < SURELY_INVERTED else "likely"), f"{said} as declared"
        )
    best, known = tried.others[word], architecture.current(case.critic) or "the network as it is"
    sentence = (
        f"{sentence}; with {word} in place of {known} as declared it is {best.area:.3f} without turning anything round"
    )
    spelled = ", ".join(f"{key} = {value!r}" for key, value in best.proposal.items())
    found = topic.fail(
        area, sentence, f"build it so: {spelled}; only if that is not how it was trained, say {other}", details
    )
    return found.proposing(
        best.proposal, "likely" if joint.convincing(tried, word) else "undecided", tried.evidence(word)
    )


def doubts(case: Case) -> tuple[str, str]:
    """What else than the sign may be wrong, and how sure the sign is at most; empty for nothing."""
    found = case.settled
    if not case.finally_inverted:
        return f"{_elsewhere(case)} below is what is wrong", "undecided"
    if case.batched[0]:
        return "its running statistics are what is wrong (see batch statistics)", "undecided"
    if found.fit is not None and found.fit.distance > FITS:
        return (
            f"its wiring is what is wrong: BatchNorm is off by {found.fit.distance:.2g} from its training",
            "undecided",
        )
    if case.critic.kind == "score" or found.saturated <= 0.5:
        return "", ""
    if found.fit is not None:
        return "", "likely"  # BatchNorm confirms how images are read
    words = (
        f"its range, activations or output are what is wrong: {found.saturated:.0%} of the logits lie beyond {LARGE:g}"
    )
    others = case.ranges.others.items() if case.ranges is not None else ()
    milder = [f"{one.saturated:.0%} read as {word}" for word, one in others if found.saturated - one.saturated > 0.5]
    return f"{words}{', ' if milder else ''}{' and '.join(milder)}", "undecided"


def _upright(topic: Topic, case: Case, said: str, details: dict[str, float]) -> Finding:
    area, low, _ = case.area
    if low <= 0.5:
        advice = "use another critic or more images; a map of this critic explains a guess"
        return topic.warn(
            area, f"these images do not show that the critic tells real from fake: {said}", advice, details
        )
    if area < POOR_AUC:
        advice = "near equilibrium a GAN's own discriminator judges poorly; train it on against the frozen generator"
        return topic.warn(area, f"the critic hardly tells real from fake: {said}", advice, details)
    return topic.ok(area, f"reals score above fakes: {said}", details)


def _elsewhere(case: Case) -> str:
    """The finding that explains why fakes score above reals."""
    if case.ranges is not None and case.ranges.better:
        return "the declared range"
    return "the order of channels" if case.orders is not None and case.orders.better else "the architecture"


def _other_way(case: Case) -> tuple[str, dict[str, Any]]:
    """The argument of `Critic` that turns an inverted critic round, and what a spec would say."""
    critic = case.critic
    if critic.pick is not None or critic.kind not in CLASSES:
        other = "real" if critic.polarity == "fake" else "fake"
        return f"polarity={other!r}", {"critic.polarity": other}
    areas = answers.columns(case)
    best = max(range(len(areas)), key=lambda column: areas[column])
    said = {"critic.real_class": best} if best != critic.real_class else {}
    if len(areas) == 2:
        return f"real_class={1 - critic.real_class}", said
    n, column = len(areas), critic.real_class
    told = f"another real_class than {column} (0 to {n - 1}): the column of the class that means real"
    return f"{told}; {best} tells them apart best, AUC {areas[best]:.3f}", said


def threshold(case: Case) -> Finding:
    """Mean probabilities, and the share of each kind called fake at the critic's own threshold."""
    topic = Topic("threshold", "balanced accuracy")
    if case.both is None:
        return topic.skip(case.lacking)
    known, parts = case.critic.calibration, (case.real_logits, case.fake_logits)
    cut, slope = case.critic.threshold, known.slope if known else 1.0
    called = [float((part < cut).double().mean()) for part in parts]
    if case.critic.kind == "score" and known is None:
        word, means = "score", [float(part.mean()) for part in parts]
    else:
        word, means = "probability", [float(torch.sigmoid(slope * (part - cut)).mean()) for part in parts]
    details = {"reals called fake": called[0], "fakes called fake": called[1]}
    details |= {"mean of reals": means[0], "mean of fakes": means[1]}
    accuracy = (1 - called[0] + called[1]) / 2
    sentence = (
        f"mean {word} of reals {means[0]:.3f}, of fakes {means[1]:.3f}; "
        f"called fake are {called[0]:.0%} of the reals and {called[1]:.0%} of the fakes"
    )
    advice = _about_threshold(case, called)
    if advice:
        return topic.warn(accuracy, sentence, advice, details)
    return topic.ok(accuracy, sentence, details)


def _about_threshold(case: Case, called: list[float]) -> str:
    """What to do where reals (first) and fakes (second) are called fake in these shares; empty for nothing."""
    if case.better_range:
        return (
            f"see the declared range first: the model seems to read {case.better_range}, and calibrating would hide "
            "that mistake"
        )
    if case.inverted:
        return "see the polarity first: it is inverted, and no threshold mends that"
    if called[0] > 0.5 or called[1] < 0.5:
        return "calibrate on reals and fakes of your own: critic.calibrate(real, fake); a logit has no absolute zero"
    return ""


def noise(case: Case) -> Finding:
    """Uniform noise and plain images beside the reals: many critics are blind away from what they were trained on."""
    topic = Topic("noise", "AUC of reals against noise")
    if case.real is None or not case.pictures:
        return topic.skip("needs real images")
    drawn = case.noise
    logits = case.score(drawn)
    flat = case.score(torch.cat([torch.full_like(drawn[:1], grey) for grey in PLAIN.values()]))
    area, means = auc(case.real_logits, logits), (float(case.real_logits.mean()), float(logits.mean()))
    details = {"mean logit of reals": means[0], "mean logit of noise": means[1]}
    details |= {f"logit of {word}": float(value) for word, value in zip(PLAIN, flat, strict=True)}
    sentence = f"uniform noise scores {means[1]:.2f}, the reals {means[0]:.2f} on average"
    if area < 0.5:
        advice = "noise and baselines far from the data may raise the logit: take the nearest real as baseline"
        return topic.warn(area, f"a blind spot: {sentence}", advice, details)
    high = [word for word, value in zip(PLAIN, flat, strict=True) if value > case.real_logits.max()]
    if high:
        advice = "do not use them as a baseline; the nearest real is the safe one"
        return topic.warn(area, f"plain {' and '.join(high)} images score above every real", advice, details)
    return topic.ok(area, sentence, details)


def same_delivery(case: Case) -> Finding:
    """Size, range and colour of reals and fakes: a difference there lets a critic decide by it alone."""
    topic = Topic("same delivery", "differences")
    if case.real is None or case.fake is None or not case.pictures:
        return topic.skip("needs real and fake images")
    parts, found = (case.real, case.fake), []
    sizes = [f"{part.shape[3]}x{part.shape[2]}" for part in parts]
    if sizes[0] != sizes[1]:
        found.append(f"reals are {sizes[0]} and fakes {sizes[1]} pixels")
    colours = [share_of_colour(part) for part in parts]
    if min(colours) < 0.1 and max(colours) > 0.9:
        kinds = ["colour" if share > 0.5 else "grey" for share in colours]
        found.append(f"reals are {kinds[0]} and fakes {kinds[1]}")
    lows = [float(part.min()) for part in parts]
    if min(lows) < -0.5 and max(lows) > -0.02:
        found.append(f"the darkest pixel of the reals is {lows[0]:.2f} and of the fakes {lows[1]:.2f}")
    if not found:
        return topic.ok(0.0, "reals and fakes come in the same size, colour and range")
    sentence = f"{'; '.join(found)}: a critic may decide by that alone"
    return topic.warn(float(len(found)), sentence, "bring both kinds through the same reading, resizing and saving")


def share_of_colour(images: Tensor) -> float:
    """Share of images with a pixel whose channels differ by more than a byte step or two."""
    if images.shape[1] < 3:
        return 0.0
    spread = images.amax(1) - images.amin(1)
    return float((spread.flatten(1).amax(1) > 0.02).double().mean())
