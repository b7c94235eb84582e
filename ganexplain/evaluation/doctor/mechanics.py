"""Does the model behave as an explanation assumes: one number an image, the same each time, with gradients?"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.contest import LARGE
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.evaluation.doctor.fingerprint import BatchNorm, fresh
from ganexplain.models.verdict import POOR_AUC

FLOAT = 1e-5  # float32 rounding of a logit, relative to the largest
SMALL = 0.01  # of the spread of the logits: too small to change an explanation
STILL = 0.1  # span of logits within which a probability moves by .025 at most
ROUNDED = 1e-4  # span of logits, relative to the largest, that is little more than float32's rounding
UNLIKE = 30.0  # median of logits that a sigmoid's loss gave up pushing long before
STEPS = (2e-3, 5e-4, 1e-4)  # root mean square of a step, a pixel: critics are jagged, so the first may be too long
BLACK_BOXES = "explain with methods that need calls alone (kernel_shap, lime, occlusion)"


def repeats(case: Case) -> Finding:
    """The same images twice, with the same and with another random state."""
    topic = Topic("repeats", "largest change of a logit")
    images = case.some(16)
    first, again, other = (_logits(case, images, seed) for seed in (0, 0, 1))
    memory, noise = float((first - again).abs().max()), float((first - other).abs().max())
    details = {"same random state": memory, "another random state": noise}
    if memory > _tolerance(case, first):
        sentence = f"the same images twice give logits that differ by up to {memory:.3g}: the model remembers"
        return topic.fail(memory, sentence, "make its forward a function of the images alone", details)
    if noise > _tolerance(case, first):
        sentence = (
            f"the model draws random numbers: its logits move by up to {noise:.3g}, "
            f"with a spread of {case.spread:.3g} between images"
        )
        advice = "switch the noise off (functional dropout, noise layers); here it is drawn from a fixed seed"
        found = topic.fail if noise > 0.2 * case.spread else topic.warn
        return found(noise, sentence, advice, details)
    return topic.ok(noise, "the same images give the same logits", details)


def neighbours(case: Case) -> Finding:
    """Each image alone, among others, and among others in reverse order."""
    topic = Topic("neighbours", "largest change of a logit")
    images = case.some(9)
    if len(images) < 2:
        return topic.skip("needs at least two images")
    case = replace(case, critic=case.critic.together())
    together, alone = _logits(case, images, 0), torch.cat([_logits(case, one[None], 0) for one in images])
    reverse = _logits(case, images.flip(0), 0).flip(0)
    value = float(torch.maximum((together - alone).abs(), (together - reverse).abs()).max())
    if value <= _tolerance(case, together):
        return topic.ok(value, "an image's logit does not depend on the others in its batch")
    found = topic.fail if value > SMALL * case.spread else topic.warn
    return found(
        value,
        f"an image's logit moves by up to {value:.3g} with the others in its batch",
        "the model has batch statistics (minibatch standard deviation, functional BatchNorm in training mode), or "
        "draws noise; without noise each image is judged and explained alone",
    )


def constant(case: Case) -> Finding:
    """Whether the logits differ between images at all."""
    topic = Topic("constant output", "span of the logits")
    if len(case.logits) < 2:
        return topic.skip("needs at least two images")
    value = float(case.logits.max() - case.logits.min())
    largest = float(case.logits.abs().max())
    advice = "check that the trained weights were loaded and that the output is the right one"
    if value <= 1e-6 * max(1.0, largest):
        sentence = f"all {len(case.logits)} images get the same logit {float(case.logits[0]):.4g}"
        return topic.fail(value, sentence, advice)
    still = case.critic.kind != "score" and value < STILL and (case.both is None or case.area[0] < POOR_AUC)
    if not still and value > ROUNDED * largest:
        return topic.ok(value, f"the logits span {value:.3g}")
    low, high = (float(torch.sigmoid(end)) for end in (case.logits.min(), case.logits.max()))
    where = f"the probabilities lie from {low:.3f} to {high:.3f}" if still else "which is little more than rounding"
    found = topic.fail if case.both is not None and case.area[1] <= 0.5 <= case.area[2] else topic.warn
    return found(value, f"the output hardly moves: the logits span {value:.2g}, {where}", advice)


def saturation(case: Case) -> Finding:
    """How many logits are so large that their probability has no digits left, and whether they are scores."""
    topic, critic = Topic("saturation", "share of logits beyond 10"), case.critic
    if critic.kind == "score":
        return topic.skip("a score has no scale, so none of its values is large")
    share = float((case.logits.abs() > LARGE).double().mean())
    tails = {"cut": "its sigmoid or softmax was cut off", "kept": "its probability is turned into a logit"}
    sentence = f"{share:.0%} of the logits lie beyond {LARGE:g}; {tails.get(critic.tail, 'it returns logits')}"
    if share <= 0.5:
        return topic.ok(share, sentence)
    if case.better_range:
        return topic.warn(share, sentence, f"see the declared range first: the model seems to read {case.better_range}")
    if critic.tail == "kept":
        return topic.warn(share, sentence, "return the value before the sigmoid: a logit that large has lost digits")
    advice = "trust the order of the logits, not the probabilities; calibrate on your own images"
    named = {"reals": case.real_logits, "fakes": case.fake_logits}
    middles = {name: float(part.median()) for name, part in named.items() if len(part)}
    beyond = critic.kind == "logit" and critic.pick is None and all(abs(middle) > UNLIKE for middle in middles.values())
    if not beyond or critic.calibration is not None or case.inverted or case.finally_inverted or case.batched[0]:
        return topic.warn(share, sentence, advice)
    told = " and ".join(f"the median logit of {name} is {middle:.3g}" for name, middle in middles.items())
    low, high = min(middles.values()), max(middles.values())
    aside = len(middles) > 1 and low * high > 0
    sentence = f"{sentence}; {told}, which no sigmoid loss asks for: a Wasserstein or hinge score"
    found = topic.warn(share, sentence, f"say output='score', unless it was trained with a sigmoid; {advice}")
    return found.proposing({"critic.output": "score"}, "likely" if aside else "undecided", told)


def training_mode(case: Case) -> Finding:
    """Layers that the caller left in train mode; the critic's own copy is in eval mode."""
    topic, layers = Topic("training mode", "layers"), case.critic.left_training
    if not isinstance(case.critic.network, nn.Module):
        return topic.skip("the model is a function, whose layers are not known")
    if not layers:
        return topic.ok(0.0, "no BatchNorm or dropout was left in training mode")
    return topic.warn(
        float(len(layers)),
        f"your model has {len(layers)} layers in training mode (first {layers[0]}); judged here is a copy in eval mode",
        "call model.eval() where you use it yourself, or its outputs will not be these",
    )


def statistics(case: Case) -> Finding:
    """BatchNorm layers whose running statistics are still at their initial values: weights that were not loaded."""
    topic = Topic("batch statistics", "share of layers at their start")
    if not isinstance(case.critic.network, nn.Module):
        return topic.skip("the model is a function, whose layers are not known")
    norms = [m for m in case.critic.network.modules() if isinstance(m, BatchNorm)]
    if not norms:
        return topic.skip("the model has no BatchNorm")
    unfed = [m for m in norms if fresh(m)]
    share = len(unfed) / len(norms)
    if not unfed:
        return _running(topic, case, f"{len(norms)} BatchNorm layers have seen data")
    sentence = f"{len(unfed)} of {len(norms)} BatchNorm layers have never seen data"
    return topic.fail(
        share, sentence, "load running_mean and running_var with the weights; strict=True says what is missing"
    )


def _running(topic: Topic, case: Case, said: str) -> Finding:
    """Whether the running statistics, which have seen data, also let the model work."""
    told, status = case.batched
    if not told:
        return topic.ok(0.0, said)
    found = topic.fail if status == "fail" else topic.warn
    return found(
        0.0,
        f"works only with batch statistics: its running statistics do not fit: with them {told}",
        "compute the running statistics anew from training images, or look for a range, mean and std that was not "
        "tried here: in eval mode this is not the critic that was trained",
    )


def gradients(case: Case) -> Finding:
    """Whether gradients reach the pixels, and agree with the change of the logit along them."""
    topic, images = Topic("gradients", "share of pixels with a gradient"), case.some(8)
    try:
        slope = _slopes(case, images)
    except (RuntimeError, ValueError, NotImplementedError) as error:  # torch's words are the finding
        sentence = f"no gradient reaches the pixels: {str(error).splitlines()[0]}"
        return topic.warn(0.0, sentence, f"{BLACK_BOXES}, or remove detach, rounding and numpy from the forward")
    bad = int((~torch.isfinite(slope)).flatten(1).any(1).sum())
    if bad:
        sentence = f"{bad} of {len(images)} images have NaN or infinite gradients"
        return topic.fail(0.0, sentence, f"look for a division by zero or the square root of zero, or {BLACK_BOXES}")
    share = float((slope != 0).double().mean())
    dead = int((slope.flatten(1).abs().amax(1) == 0).sum())
    if dead:
        sentence = f"{dead} of {len(images)} images have a gradient of zero everywhere"
        return topic.warn(share, sentence, f"the model saturates or rounds there; {BLACK_BOXES}")
    ratios = _agreement(case, images, slope)
    details = {f"measured change over predicted, step {rms:g}": ratio for rms, ratio in ratios.items()}
    ratio = min(ratios.values(), key=lambda r: abs(math.log(r)) if r > 0 else math.inf)
    if not 0.5 < ratio < 2:
        sentence = f"along the gradient the logit changes {ratio:.2g} times as much as the gradient says"
        advice = (
            f"something in the forward hides its gradient (rounding, detach, a straight-through trick); {BLACK_BOXES}"
        )
        return topic.warn(share, sentence, advice, details)
    return topic.ok(share, f"gradients reach {share:.0%} of the pixels and agree with the measured change", details)


def _slopes(case: Case, images: Tensor) -> Tensor:
    form = case.critic.form
    leaf = form.scaled(images).clone().requires_grad_(True)
    with torch.enable_grad(), tensors.isolated():
        value = case.critic(form.unscaled(leaf.clone()))
        if not value.requires_grad:
            raise ValueError("the output does not depend on the images in a way that torch can follow")
        (slope,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
    return torch.zeros_like(leaf) if slope is None else slope.detach()


def _agreement(case: Case, images: Tensor, slope: Tensor) -> dict[float, float]:
    """Per step the median over images of (measured change) / (predicted change) along the gradient."""
    form, size = case.critic.form, slope.flatten(1).norm(dim=1).view(-1, *[1] * (slope.ndim - 1))
    points, found = form.scaled(images), {}
    for rms in STEPS:
        step = rms * slope[0].numel() ** 0.5
        way = step * slope / size
        up, down = form.unscaled(points + way), form.unscaled(points - way)
        change = _logits(case, up, 0) - _logits(case, down, 0)
        found[rms] = float((change / (2 * step * size.flatten().double())).median())
    return found


def _logits(case: Case, images: Tensor, seed: int) -> Tensor:
    with torch.no_grad(), tensors.isolated(seed):
        logits: Tensor = case.critic(images.clone())
    return logits.double().to(images.device)


def _tolerance(case: Case, logits: Tensor) -> float:
    return FLOAT * max(case.spread, float(logits.abs().max()), 1e-6)
