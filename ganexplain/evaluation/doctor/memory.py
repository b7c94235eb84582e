"""What the network itself remembers of its training: BatchNorm's statistics, and the options that they decide."""

from __future__ import annotations

from ganexplain.evaluation.doctor import architecture
from ganexplain.evaluation.doctor.area import interval
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.contest import Contest, Reading
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.evaluation.doctor.fingerprint import FITS, OFF
from ganexplain.models.verdict import POOR_AUC, auc

LOST = 0.6  # distance at which a critic that only guesses fits nowhere
JUMP = 0.15  # gain in AUC at which another slope is likely without BatchNorm: wrong slopes often gain a little


def batchnorm(case: Case) -> Finding:
    """Whether BatchNorm layers are fed what they saw in training, in the best wiring that was found."""
    topic = Topic("BatchNorm fit", "distance of what the layers are fed from what they saw")
    if not case.pictures or case.declared.fit is None:
        return topic.skip("the model has no BatchNorm that has seen data")
    declared, best = case.declared.fit, case.settled.fit
    best = declared if best is None or best.distance > declared.distance else best
    details = dict(zip(best.layers, best.distances, strict=True))
    n = f"{len(best.layers)} BatchNorm layer{'s' if len(best.layers) > 1 else ''}"
    said = f"the input of {n} is off by {best.distance:.2g} from what was seen in training (0 fits, {OFF:g} is far)"
    if best.distance < FITS:
        return topic.ok(best.distance, said if best is declared else f"with what is proposed here, {said}", details)
    if best.distance < OFF and not (best.distance > LOST and _guesses(case.settled)):
        return topic.ok(best.distance, f"{said}: somewhat other images, or an option of the network", details)
    advice = (
        "these weights seem to belong to another architecture, or were trained on images of quite another kind: "
        "compare the layers with the code that trained them"
    )
    return topic.fail(best.distance, f"{said}, in every wiring that was tried", advice, details)


def _guesses(reading: Reading) -> bool:
    """Whether a reading tells reals from fakes no better than chance."""
    if not reading.judged:
        return False
    low, high = interval(reading.area, len(reading.real), len(reading.fake))
    return low <= 0.5 <= high


def options(case: Case) -> Finding:
    """Slopes of activations and other options that weights do not say."""
    topic, tried = Topic("architecture", "gain in AUC of the best other option"), case.architectures
    if tried is None:
        open_ = architecture.variants(case.critic)
        return topic.skip(case.lacking if open_ else "nothing about the network is left open that could be tried")
    own = architecture.current(case.critic) or "the network as it is"
    if tried.by_fit:
        best = tried.others[tried.by_fit]
        sentence = f"with {tried.by_fit} in place of {own}, {tried.evidence(tried.by_fit)}"
        advice = f"build it so: {_spelled(best)}"
        found = topic.fail if tried.fits(tried.by_fit) == "certain" else topic.warn
        seen = found(_gain(tried, tried.by_fit), sentence, advice, _numbers(tried, own))
        return seen.proposing(best.proposal, tried.fits(tried.by_fit), tried.evidence(tried.by_fit))
    if tried.fitted:
        fit = tried.declared.fit.distance if tried.declared.fit else 0.0
        said = f"no other option fits what BatchNorm saw in training clearly better than {own} (off by {fit:.2g})"
        return topic.ok(None, said, _numbers(tried, own))
    return _by_area(topic, tried, own)


def _by_area(topic: Topic, tried: Contest, own: str) -> Finding:
    best = max(tried.others, key=lambda word: _gain(tried, word) or 0.0, default="")
    change, error = tried.gain(best) if best else (0.0, 1.0)
    details = _numbers(tried, own)
    if best and change > JUMP and change > 4 * error and auc(*tried.declared.turned) < POOR_AUC:
        other = tried.others[best]
        sentence = f"with {best} in place of {own}, {tried.evidence(best)}"
        found = topic.warn(change, sentence, f"build it so, if that is how it was trained: {_spelled(other)}", details)
        return found.proposing(other.proposal, "likely", tried.evidence(best))
    sentence = f"undecided: without BatchNorm only the AUC could tell {own} from others, by {change:+.3f} at most"
    return topic.ok(change, sentence, details)


def size(case: Case) -> Finding:
    """Other sizes of images, for a network that takes any and does not work well at the declared one."""
    topic = Topic("input size", "gain in AUC of the best other size")
    tried = case.sizes
    if tried is None or not tried.others:
        return topic.skip("the declared size works, or the network takes no other")
    better = tried.by_fit
    fit = tried.others[better].fit if better else None
    if not better or fit is None or fit.distance > FITS:
        changes = [tried.gain(word) for word in tried.others] if tried.declared.judged else []
        most = max(changes, default=(0.0, 1.0))
        best = next((word for word in tried.others if tried.declared.judged and tried.gain(word) == most), "")
        if tried.fitted or most[0] < JUMP or most[0] < 4 * most[1]:
            return topic.ok(most[0] if changes else None, "no other size fits or judges clearly better")
        better = best
    other = tried.others[better]
    sentence = f"read at {better} pixels, {tried.evidence(better)}"
    found = topic.warn(_gain(tried, better), sentence, f"declare Preprocess with size={other.reads.size}")
    return found.proposing(other.proposal, "likely", tried.evidence(better))


def _gain(tried: Contest, word: str) -> float | None:
    return tried.gain(word)[0] if tried.declared.judged else None


def _numbers(tried: Contest, own: str) -> dict[str, float]:
    named = {own: tried.declared, **tried.others}
    areas = {f"AUC {word}": one.area for word, one in named.items() if one.judged}
    return areas | {f"fit {word}": one.fit.distance for word, one in named.items() if one.fit is not None}


def _spelled(reading: Reading) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in reading.proposal.items())
