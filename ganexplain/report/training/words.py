"""What the page on a training says in words: the questions of the diagnostics, and how to read each curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganexplain.models import health
from ganexplain.report.training.folder import Run
from ganexplain.report.words import listed, percent

TITLES = {
    "HEALTHY": "HEALTHY",
    "CHECK": "CHECK before use",
    "UNHEALTHY": "UNHEALTHY",
    "TOO EARLY": "TOO EARLY to say",
    None: "NOT JUDGED yet",
}
CLASSES = {"HEALTHY": "good", "CHECK": "check", "UNHEALTHY": "bad"}
MARKS = {
    "ok": ("good", "✓ ok"),
    "warn": ("warn", "! warn"),
    "fail": ("bad", "✗ FAIL"),
    "unknown": ("none", "– not read"),
}
QUESTIONS = {
    "non_finite": "Did every step stay finite?",
    "discriminator_wins": "Does the discriminator leave the generator something to learn from?",
    "discriminator_loses": "Does the discriminator still tell reals from fakes?",
    "overfitting": "Does the discriminator judge held-out reals like those it trains on?",
    "mode_collapse": "Do the samples differ from one another as reals do?",
    "mode_imbalance": "Do the classes come as often as among the reals?",
    "oscillation": "Do the samples stay what they are between measurements?",
    "penalty_balance": "Do the penalties hold the discriminator without drowning the game?",
    "stagnation": "Do the samples still get better?",
}
LN2 = math.log(2)
BALANCED = {  # both losses where reals and fakes get the same score, and how it is written
    "relativistic": ((LN2, LN2), ("ln 2", "ln 2")),
    "bce": ((2 * LN2, LN2), ("2 ln 2", "ln 2")),
    "least_squares": ((0.25, 0.125), ("1/4", "1/8")),
    "hinge": ((2.0, 0.0), ("2", "0")),
    "wasserstein": ((0.0, 0.0), ("0", "0")),
}
CAPTIONS = {  # by chart: heading, how to read it, what would be bad
    "losses": (
        "Adversarial losses",
        "What each player minimises, without penalties. Dotted: the value where reals and fakes cannot be told apart. "
        "A game is sound while both stay level; how low they are says nothing of the samples. Bad: the discriminator's "
        "falling to nothing while the generator's climbs, or leaps that grow.",
    ),
    "accuracy": (
        "Pairwise accuracy",
        "Share of pairs in which the real scored above the fake; 0.5 is guessing, 1 means the discriminator is never "
        "wrong. Bad: stuck near 1 (the generator learns nothing more), or at 0.5 with poor samples.",
    ),
    "logits": (
        "Logits of reals and fakes",
        "The discriminator's mean output in training batches; dots: on as many training and held-out reals at "
        "measurements. Only distances count, since most losses leave the level free. Bad: a gap that grows without "
        "end; held-out reals that drift from the training reals to the fakes.",
    ),
    "overfitting": (
        "Overfitting of the discriminator",
        "How far held-out reals have fallen from the training reals towards the fakes: 0 is no overfitting, 1 means a "
        "real it has not seen looks like a fake to it. Bad: rising. Remedies: more data, augmentation, a stronger "
        "penalty.",
    ),
    "penalties": (
        "Penalties",
        "Mean squared slope of the discriminator at reals (R1) and at fakes (R2), before their weight; GP is the mean "
        "squared distance of the slope from 1. Bad: growing by orders of magnitude, or vanishing.",
    ),
    "ratio": (
        "R2 over R1",
        "Slope at fakes against slope at reals; near 1 the discriminator is as steep on either side. Bad: far from 1 "
        "for long, since one side is then barely held.",
    ),
    "gradients": (
        "Gradient norms",
        "Length of each player's gradient before clipping. Bad: the generator's falling to nothing (it is told "
        "nothing more), or either growing without end.",
    ),
    "rates": ("Learning rate", "The generator's learning rate as scheduled. Nothing in it is good or bad."),
    "gamma": ("Weight of the penalties", "Gamma of R1 and R2 as scheduled. Nothing in it is good or bad."),
    "fd": (
        "Frechet distance (FD)",
        "Distance between held-out reals and samples in feature space; lower is better. Floor: training against "
        "held-out reals, which no generator can be expected to beat. Ceiling: noise. Bad: level far above the floor, "
        "or rising for long. It is no FID: the features are others, and so it compares only with itself.",
    ),
    "kid": (
        "Kernel distance (KID)",
        "Another distance between samples and held-out reals, without bias for few images; 0 is equal, and slightly "
        "negative values are chance; faint: one standard deviation over subsets. Bad: rising.",
    ),
    "coverage": (
        "Quality and variety",
        "Precision and density: samples that lie among reals. Recall and coverage: reals that have samples near them. "
        "Bad: precision high with recall near 0, the sign of a collapse; never read precision alone.",
    ),
    "shares": (
        "Classes among the samples",
        "A row a class, darker for a larger share, as a classifier sees the samples. Bad: rows that turn white "
        "(classes that are lost), or dark cells that jump from row to row (a generator that goes round instead of "
        "covering all).",
    ),
    "kl": (
        "Imbalance of the classes",
        "Kullback-Leibler divergence of the samples' classes from the reals', in nats; 0 is the same mixture. "
        "Bad: rising.",
    ),
    "variation": (
        "Change of the classes between measurements",
        "Total variation between the classes of one measurement and the next: at least that share of the samples "
        "changed class. "
        "Bad: high again and again, the sign of a generator that runs in circles.",
    ),
    "diversity": (
        "Diversity of the samples",
        "Mean distance between two samples over that between two held-out reals: 1 is as varied as reals, and noise is "
        "more so. Bad: falling towards 0, where all samples are one.",
    ),
    "memorisation": (
        "Distance to the training images",
        "Distance of samples to their nearest training image over that of held-out reals; near 1 they are as new as "
        "unseen reals, far above they are like none. Bad: far below 1, where samples are copies.",
    ),
}
CHARTS = {  # where a diagnostic can be seen
    "non_finite": "losses",
    "discriminator_wins": "accuracy",
    "discriminator_loses": "accuracy",
    "overfitting": "overfitting",
    "mode_collapse": "diversity",
    "mode_imbalance": "kl",
    "oscillation": "variation",
    "penalty_balance": "ratio",
    "stagnation": "fd",
}
FALLING = frozenset({"discriminator_loses", "mode_collapse"})  # diagnostics that speak up below their only threshold
UNITS = {  # words of the unit of a reading that is about the chart's curve; a diagnostic may measure other things too
    "discriminator_wins": ("pairs",),
    "discriminator_loses": ("pairs",),
    "overfitting": ("gap", "share"),
    "mode_collapse": ("distance", "diversity", "spread"),
    "mode_imbalance": ("nats", "kl"),
    "oscillation": ("variation",),
    "penalty_balance": ("r2",),
}


def verdict(found: Mapping[str, Any] | None) -> str:
    """The verdict in a sentence or two.

    Args:
        found: as `ganexplain.models.health.checked` returns it; None where there is none yet.
    """
    if found is None:
        return "There is no verdict yet: the diagnostics have not been run on this training, or their file is missing."
    words, rows = found["words"], found["readings"]
    n = {level: sum(row["level"] == level for row in rows) for level in health.LEVELS}
    counted = f"{n['ok']} of {len(rows)} diagnostics are in order"
    unread = f"; {n['unknown']} could not be read" if n["unknown"] else ""
    if found["verdict"] == "HEALTHY":
        return f"The training is HEALTHY: {counted}, and none warns or fails{unread}."
    if found["verdict"] == "TOO EARLY":
        return f"TOO EARLY: {words.rstrip('.') or 'there is too little to judge by'}."
    level = "fail" if found["verdict"] == "UNHEALTHY" else "warn"
    names = listed(health.found(found, level)) if n[level] else ""
    if found["verdict"] == "CHECK":
        why = f"warned of: {names}" if names else words
        return f"CHECK this training before you use its GAN ({why}). {counted[0].upper()}{counted[1:]}{unread}."
    why = f"failed: {names}" if names else words
    return (
        f"The training is UNHEALTHY ({why}). {counted[0].upper()}{counted[1:]}{unread}. Its samples, and explanations "
        "of them, show what went wrong rather than what the data are like."
    )


def limits(row: Mapping[str, Any], level: str) -> str:
    """A threshold in words.

    >>> limits({"name": "mode_collapse", "warn": 0.7, "fail": None}, "warn")
    'below 0.7'
    >>> limits({"name": "penalty_balance", "warn": [0.2, 5], "fail": None}, "warn")
    'outside 0.2 to 5'
    """
    limit = row[level]
    if limit is None:
        return "–"
    if isinstance(limit, list):
        return f"outside {limit[0]:.3g} to {limit[1]:.3g}".replace("-", "−")
    return f"{'below' if falling(row) else 'above'} {limit:.3g}".replace("-", "−")


def falling(row: Mapping[str, Any]) -> bool:
    """Whether a reading is bad below its thresholds.

    >>> falling({"name": "a", "warn": 0.7, "fail": 0.3}), falling({"name": "a", "warn": 0.1, "fail": None})
    (True, False)
    """
    ends = row["warn"], row["fail"]
    if all(isinstance(end, float | int) for end in ends) and ends[0] != ends[1]:
        return bool(ends[1] < ends[0])
    return row["name"] in FALLING


def duration(seconds: float) -> str:
    """A time in the two largest units that it fills.

    >>> duration(0.42), duration(75), duration(7500), duration(200_000)
    ('0.42 s', '1 min 15 s', '2 h 5 min', '2 d 7 h')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    for size, name, smaller, unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name} {rest} {unit}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def measured(key: str, run: Run) -> str:
    """By what a measurement was made, and of how many images."""
    found, told_ = run.metrics.evaluations, run.metrics.told
    space, images = told_.get("fd_space"), found.last("fd_images")
    if key == "fd" and space:
        return f" Features: {space}" + (f", of {images:,.0f} images each." if images else ".")
    reader, right = told_.get("classes.reader"), found.last("classes.reader_accuracy")
    if key == "shares" and reader:
        return f" Read by: {reader}" + (f", right on {percent(right)} of held-out reals." if right else ".")
    return ""


def classes_told(shares: Sequence[str], shown: int) -> str:
    """That not all classes are drawn."""
    return (
        f" Drawn are the {shown} of {len(shares)} classes with the smallest shares at the end."
        if shown < len(shares)
        else ""
    )
