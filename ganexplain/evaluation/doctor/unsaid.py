"""What the file of a generator does not say: prior, activations, and what follows the last layer."""

from __future__ import annotations

from typing import Any

from ganexplain.evaluation.doctor import fingerprint as prints
from ganexplain.evaluation.doctor import guesses, rectifiers
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.evaluation.doctor.guesses import surely
from ganexplain.evaluation.doctor.maker import Maker
from ganexplain.models.generator import Generator


def prior(maker: Maker) -> Finding:
    """Where codes came from in training, by what the first BatchNorm remembers, else by the samples beside reals."""
    topic, own = Topic("prior", "distance from training"), maker.generator.prior
    if maker.own is not None:
        known = {name: one.first for name, one in maker.by_prior.items()}
        details = {name: one.distance for name, one in known.items()}
        best = min(known, key=lambda name: known[name].distance)
        return _prior(topic, own, best, details, prints.certainty(known[own], known[best]), "the first BatchNorm")
    if not maker.guesses:
        return topic.skip(f"{own} is taken; to tell, BatchNorm with running statistics or 50 reals are needed")
    nearest = {name: min((n for g, n in maker.guesses.items() if g.prior == name), key=sum) for name in maker.priors}
    details = {name: sum(values) / len(values) for name, values in nearest.items()}
    best = guesses.nearest(maker.guesses).prior
    return _prior(topic, own, best, details, surely(nearest[own], nearest[best]), "samples beside the reals")


def _prior(topic: Topic, own: str, best: str, details: dict[str, float], sure: str, what: str) -> Finding:
    told = f"{what}: {details[own]:.3g} from training under {own} codes"
    if not sure or best == own:
        return topic.ok(details[own], told, details)
    sentence = f"{told}, {details[best]:.3g} under {best} codes"
    wrong = topic.fail if sure == "certain" else topic.warn
    advice = f"draw codes as in training: prior={best!r}"
    return wrong(details[own], sentence, advice, details).proposing({"generator.prior": best}, sure, sentence)


def activations(maker: Maker) -> Finding:
    """The activations between the layers, by what BatchNorm remembers, else by the samples beside reals."""
    topic, generator = Topic("activations", "distance from training"), maker.generator
    best = maker.drawn(prior(maker).accepted.get("generator.prior", generator.prior))
    if maker.own is not None:
        before = maker.by_prior[best.prior]
        found = rectifiers.calibrated(best, lambda network: maker.fits(network))  # type: ignore[arg-type]
        sure = "" if found is None else prints.certainty(*rectifiers.moved(before, found.fits))
        if found is None or not sure:
            return topic.ok(before.distance, "no other activations fit what BatchNorm layers remember clearly better")
        sentence = (
            f"BatchNorm is {found.fits.distance:.2f} from what it saw with {found.words}, else {before.distance:.2f}"
        )
        return _activated(generator, found.choices, sure, sentence, before.distance)
    known = rectifiers.places(generator)
    if not known or not maker.guesses:
        return topic.skip("to tell, rectifiers and BatchNorm with running statistics, or 50 reals, are needed")
    guess = guesses.nearest(maker.guesses)
    own = min((n for g, n in maker.guesses.items() if _same(g.choice, known)), key=sum)
    value, sure = sum(own) / len(own), surely(own, maker.guesses[guess])
    if guess.choice is None or not sure or _same(guess.choice, known):
        return topic.ok(value, f"samples are {value:.3g} from the reals, and with no other activation clearly nearer")
    near = sum(maker.guesses[guess]) / len(own)
    sentence = f"samples are {near:.3g} from the reals with {rectifiers.worded((guess.choice,))}, as it is {value:.3g}"
    return _activated(generator, (guess.choice,), sure, sentence, value)


def _same(choice: rectifiers.Choice | None, known: dict[str, rectifiers.Choice]) -> bool:
    return choice is None or set(known.values()) == {choice}


def tail(maker: Maker) -> Finding:
    """What follows the last layer, by the samples beside reals."""
    topic, generator = Topic("last activation", "distance from training"), maker.generator
    if not maker.guesses or not guesses.tail_of(generator):
        return topic.skip("a tanh at the end and 50 reals are needed to try others")
    guess = guesses.nearest(maker.guesses)
    own = min((n for g, n in maker.guesses.items() if g.tail == "tanh"), key=sum)
    value, sure = sum(own) / len(own), surely(own, maker.guesses[guess])
    if guess.tail == "tanh" or not sure:
        return topic.ok(value, f"samples are {value:.3g} from the reals, and with no other end clearly nearer")
    _, proposal, words = guesses.TAILS[guess.tail]
    near = sum(maker.guesses[guess]) / len(own)
    sentence = f"samples are {near:.3g} from the reals with {words} at the end, with tanh {value:.3g}"
    found = topic.warn(value, sentence, f"the last layer is followed by {words}: rebuild the network so")
    return found if generator.about is None else found.proposing(proposal, sure, sentence)


def _activated(
    generator: Generator, choices: tuple[rectifiers.Choice, ...], sure: str, sentence: str, value: float
) -> Finding:
    topic = Topic("activations", "distance from training")
    advice = f"the layers are followed by {rectifiers.worded(choices)}: rebuild the network so"
    wrong = (topic.fail if sure == "certain" else topic.warn)(value, sentence, advice)
    names, slopes = [name for name, _ in choices], {s for name, s in choices if name == "leaky_relu"}
    if generator.about is None or len(slopes) > 1:
        return wrong
    proposal: dict[str, Any] = {"architecture.activation": names[0] if len(set(names)) == 1 else names}
    proposal |= {"architecture.slope": slopes.pop()} if slopes else {}
    return wrong.proposing(proposal, sure, sentence)
