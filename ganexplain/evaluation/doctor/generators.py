"""Does a generator draw what it was trained to draw: from codes of its prior, many pictures, and no noise?"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganexplain import checks, tensors
from ganexplain.evaluation.doctor import fingerprint as prints
from ganexplain.evaluation.doctor import unsaid
from ganexplain.evaluation.doctor.evidence import SHOWN, WIDEST, Evidence
from ganexplain.evaluation.doctor.examination import Advance, Examination
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.evaluation.doctor.maker import Maker, smoothness, spread
from ganexplain.models.generator import Generator, WrappedGenerator

COPY = 0.05  # of the median distance: nearer images are one image
COLLAPSED, NARROW = 0.1, 0.5  # diversity of the samples over that of the reals
ALIKE = 0.02  # root mean square difference, of 2, that no eye calls another image
NOISY, ROUGH = 0.2, 0.3  # correlation of neighbouring pixels, and how much below that of the reals
CLIPPED = 0.01  # share of pixels beyond the declared range that is no rounding
DEAD = 0.01  # of the median axis: an axis of the code that moves the image less
NEGATIVE = -0.3  # correlation of the mean images from which on colours are exchanged


def repeats(maker: Maker) -> Finding:
    """The same codes in another random state."""
    topic, codes = Topic("repeats", "largest change of a pixel"), maker.codes[:8]
    found = []
    for seed in (0, 1):
        with torch.no_grad(), tensors.isolated(seed):
            found.append(maker.generator.synthesize(codes))
    change = float((found[0] - found[1]).abs().max())
    if change <= 1e-4:
        return topic.ok(change, "the same code gives the same image")
    advice = "switch the noise off (constant noise inputs, no dropout); directions are measured with it held fixed here"
    return topic.warn(change, f"the generator draws random numbers: pixels move by up to {change:.2g}", advice)


def output_range(maker: Maker) -> Finding:
    """The range that the network itself fills."""
    topic, generator = Topic("image range", "lowest value"), maker.generator
    if not isinstance(generator, WrappedGenerator) or maker.images.ndim != 4:
        return topic.skip("the generator states its range itself")
    low, high = generator.value_range
    raw = generator.raw(maker.codes[:64])
    least, most = float(raw.min()), float(raw.max())
    details = {"low": least, "high": most}
    beyond = float(((raw < low - 0.01 * (high - low)) | (raw > high + 0.01 * (high - low))).double().mean())
    sentence = f"the network's values span [{least:.3g}, {most:.3g}], declared are [{low:g}, {high:g}]"
    for other in ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)):
        inside = other[0] - 1e-3 <= least and most <= other[1] + 1e-3 and most - least > 0.7 * (other[1] - other[0])
        if inside and other != (low, high):
            advice = f"declare it: value_range=({other[0]:g}, {other[1]:g})"
            sure = "certain" if beyond > CLIPPED or other == (0.0, 1.0) else "likely"
            return topic.fail(least, sentence, advice, details).proposing({"generator.range": other}, sure, sentence)
    if beyond > CLIPPED:
        advice = "say the range of its images, or add the tanh or sigmoid that follows its last layer"
        return topic.fail(least, f"{sentence}: {beyond:.0%} of the pixels are clipped", advice, details)
    return topic.ok(least, sentence, details)


def diversity(maker: Maker) -> Finding:
    """How unlike samples are, beside reals where there are some."""
    topic, reals = Topic("diversity", "difference of two samples"), maker.fitted
    if maker.images.ndim != 4 and reals is None:
        return topic.skip(f"the units of {maker.generator.form.many} say nothing without real ones")
    value = spread(maker.images)
    distances = torch.cdist(maker.images.flatten(1).double(), maker.images.flatten(1).double())
    nearest = distances.fill_diagonal_(float("inf")).amin(1)
    median = float(distances[distances.isfinite()].median())
    copies = float((nearest < COPY * median).double().mean()) if median else 1.0
    details = {"share with a copy": copies}
    advice = "the generator has collapsed: take an earlier checkpoint; no direction of it means anything"
    if maker.images.ndim == 4 and value < ALIKE:
        return topic.fail(value, f"all samples look alike: two differ by {value:.2g} of 2 on average", advice, details)
    if copies > 0.5:
        sentence = f"{copies:.0%} of the samples have a copy among {len(maker.images)}: the generator draws few images"
        return topic.fail(value, sentence, advice, details)
    if reals is None or len(reals) < 10:
        return topic.ok(value, f"two samples differ by {value:.2f} of 2 on average", details)
    ratio = value / max(spread(reals), 1e-12)
    details |= {"over that of the reals": ratio}
    sentence = f"two samples differ {ratio:.2f} times as much as two reals"
    if ratio < COLLAPSED:
        return topic.fail(value, sentence, advice, details)
    if ratio < NARROW:
        return topic.warn(value, sentence, "it draws a narrow part of the data: directions cover no more", details)
    return topic.ok(value, sentence, details)


def pictures(maker: Maker) -> Finding:
    """Whether samples are pictures or noise."""
    topic, reals = Topic("pictures", "correlation of neighbouring pixels"), maker.fitted
    if maker.images.ndim != 4:
        return topic.skip(f"{maker.generator.form.many} are no pictures")
    if min(maker.images.shape[-2:]) < 4:
        return topic.skip("the images are too small to have neighbours")
    if spread(maker.images) < ALIKE and float(maker.images.double().flatten(2).std(2).mean()) < ALIKE:
        return topic.skip("the images are plain")
    value = smoothness(maker.images)
    sentence = f"neighbouring pixels correlate by {value:.2f}"
    advice = "the generator draws noise: check that trained weights were loaded and that codes come from its prior"
    if value < NOISY:
        return topic.fail(value, sentence, advice)
    if reals is None:
        return topic.ok(value, sentence)
    known = smoothness(reals)
    sentence += f", in the reals by {known:.2f}"
    if value < known - ROUGH:
        return topic.warn(value, sentence, advice, {"reals": known})
    return topic.ok(value, sentence, {"reals": known})


def axes(maker: Maker) -> Finding:
    """Which axes of a code move the image at all."""
    topic, generator = Topic("code", "share of axes that move nothing"), maker.generator
    base, d = maker.codes[:1], maker.codes.shape[1]
    moved = base.expand(d, -1).clone()
    moved[torch.arange(d), torch.arange(d)] += 1.0
    changed = generator.render(torch.cat([base, moved]), batch_size=maker.batch_size)
    sizes = (changed[1:] - changed[:1]).flatten(1).double().square().mean(1).sqrt()
    usual = float(sizes.median())
    if usual < 1e-4:
        sentence = "most axes of the code leave the image as it is"
        return topic.fail(1.0, sentence, "check how the network reads a code, and that trained weights were loaded")
    dead = float((sizes < DEAD * usual).double().mean())
    sentence = f"{dead:.0%} of the {d} axes of a code move nothing"
    return topic.ok(dead, sentence, {"median change of a pixel": usual})


def statistics(maker: Maker) -> Finding:
    """Whether BatchNorm layers have seen data, and data such as they are fed now."""
    topic = Topic("batch statistics", "distance from the running statistics")
    norms = [m for m in maker.generator.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return topic.skip("the generator has no BatchNorm")
    fresh = sum(prints.fresh(norm) for norm in norms)
    if fresh:
        sentence = f"{fresh} of {len(norms)} BatchNorm layers have never seen data"
        return topic.fail(
            float("nan"), sentence, "load running_mean and running_var with the weights; untrained weights have none"
        )
    if maker.own is None:
        return topic.skip("no BatchNorm with running statistics was used")
    value = maker.own.distance
    sentence = f"what BatchNorm layers are fed is {value:.2f} from what they saw in training (0 fits)"
    if value < prints.OFF:
        return topic.ok(value, sentence)
    advice = "see prior and activations; else these are weights of another network, or samples were drawn in train mode"
    return topic.fail(value, sentence, advice)


def tones(maker: Maker) -> Finding:
    """Whether samples are as bright as the reals, where the reals are bright."""
    topic, reals = Topic("tones", "correlation of the mean images"), maker.fitted
    if maker.images.ndim != 4:
        return topic.skip(f"{maker.generator.form.many} have no brightness")
    if reals is None or len(reals) < 10:
        return topic.skip("needs at least 10 reals")
    means = torch.stack([maker.images.double().mean(0).flatten(), reals.double().mean(0).flatten()])
    if float(means.std(1).min()) < 0.02:
        return topic.skip("the mean images are plain")
    value = float(torch.corrcoef(means)[0, 1])
    brightness = [float(part.double().mean()) for part in (maker.images, reals)]
    details = {"mean of samples": brightness[0], "mean of reals": brightness[1]}
    sentence = f"the mean images of samples and reals correlate by {value:.2f}"
    if value < NEGATIVE:
        advice = "black and white may be exchanged: compare a sample with a real, and turn the reals or the range round"
        return topic.warn(value, sentence, advice, details)
    return topic.ok(value, sentence, details)


CHECKS: dict[str, Callable[[Maker], Finding]] = {
    "repeats": repeats,
    "batch statistics": statistics,
    "image range": output_range,
    "diversity": diversity,
    "pictures": pictures,
    "code": axes,
    "prior": unsaid.prior,
    "activations": unsaid.activations,
    "last activation": unsaid.tail,
    "tones": tones,
}


def examine_generator(
    generator: Generator,
    *,
    real: Tensor | None = None,
    batch_size: int = 64,
    seed: int = 0,
    advance: Advance | None = None,
) -> Examination:
    """Examine a generator before its directions are looked for.

    Args:
        generator: draws images; a conditional one has its class, see `Generator.given`.
        real: (R, C, H, W) in [-1, 1], which samples are compared with, or None.
        batch_size: the most codes in one forward.
        seed: of codes.
        advance: is told the name of each check and the share that is done.

    Raises:
        ValueError: reals are out of range, or the generator draws a class and was not told which.
    """
    if real is not None:
        generator.form.check(real, "real")
    private = copy.deepcopy(generator).eval()  # drawing in train mode would change what BatchNorm remembers
    maker, tell = Maker(private, real, batch_size, seed), advance or (lambda what, done: None)
    checks.finite(maker.images, "the generator's images")
    findings = []
    for i, (name, check) in enumerate(CHECKS.items()):
        tell(name, i / len(CHECKS))
        findings.append(check(maker))
    tell("", 1.0)
    size = " x ".join(map(str, maker.images.shape[1:]))
    model = f"codes of {maker.codes.shape[1]} numbers, {generator.prior}; {generator.form.many} {size}"
    n_real = 0 if real is None else len(real)
    return Examination(
        model, n_real, len(maker.images), seed, tuple(findings), subject="generator", evidence=_evidence(maker)
    )


def _evidence(maker: Maker) -> Evidence:
    """What the figures are drawn from: samples beside reals, and what BatchNorm layers are fed under each prior."""
    known = {} if maker.own is None else maker.by_prior
    fits = {f"{name} codes": one.distances for name, one in known.items()}
    layers = () if maker.own is None else maker.own.layers
    if maker.images.ndim != 4:
        return Evidence(fits=fits, layers=layers)
    kinds = [part[:SHOWN] for part in (maker.fitted, maker.images) if part is not None]
    step = -(-max(maker.images.shape[-2:]) // WIDEST)
    shown = torch.cat(kinds)[..., ::step, ::step]
    return Evidence(fits=fits, layers=layers, seen=shown, given=(len(shown) - len(kinds[-1]), len(kinds[-1])))
