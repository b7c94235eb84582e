"""How the training of a GAN ended, as its own diagnostics called it: the plain mapping in ``GAN.card["health"]``.

A card comes with a file that anybody may have written, so what is in it is read with limits on its size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DIAGNOSTICS = (
    "non_finite",
    "discriminator_wins",
    "discriminator_loses",
    "overfitting",
    "mode_collapse",
    "mode_imbalance",
    "oscillation",
    "penalty_balance",
    "stagnation",
)
VERDICTS = ("HEALTHY", "CHECK", "UNHEALTHY", "TOO EARLY")
LEVELS = ("ok", "warn", "fail", "unknown")
MOST, LONGEST = 64, 600  # readings, and characters of a text
COLLAPSE = "mode_collapse"


def checked(value: Any) -> dict[str, Any] | None:
    """The verdict with its readings, or None where ``value`` is none.

    Returns:
        ``verdict`` (one of `VERDICTS`), ``words``, ``step`` and ``readings``: per diagnostic its ``name``, ``value``,
        ``unit``, the thresholds ``warn`` and ``fail``, ``level`` (one of `LEVELS`), ``words`` and ``step``. A number
        that is missing or not finite is None.
    """
    if not isinstance(value, Mapping) or value.get("verdict") not in VERDICTS:
        return None
    given = value.get("readings")
    rows = [row for row in given if isinstance(row, Mapping)][:MOST] if isinstance(given, list | tuple) else []
    return {
        "verdict": value["verdict"],
        "words": plain_text(value.get("words")),
        "step": _whole(value.get("step")),
        "readings": [_reading(row) for row in rows],
    }


def _reading(row: Mapping[str, Any]) -> dict[str, Any]:
    level = row.get("level")
    return {
        "name": plain_text(row.get("name")),
        "value": _number(row.get("value")),
        "unit": plain_text(row.get("unit")),
        "warn": _limit(row.get("warn")),
        "fail": _limit(row.get("fail")),
        "level": level if level in LEVELS else "unknown",
        "words": plain_text(row.get("words")),
        "step": _whole(row.get("step")),
    }


def plain_text(value: Any) -> str:
    """A text on one line and of a bounded length; "" for what is none."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if known and math.isfinite(value) else None


def _limit(value: Any) -> float | list[float] | None:
    """A threshold, or the two ends of a range."""
    if isinstance(value, list | tuple):
        ends = [number for number in map(_number, value[:2]) if number is not None]
        return ends if len(ends) == 2 else None
    return _number(value)


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None or number < 0 else int(number)


def found(health: Mapping[str, Any], level: str) -> list[str]:
    """The names of the diagnostics at a level, as words."""
    return [row["name"].replace("_", " ") for row in health["readings"] if row["level"] == level]


def told(health: Mapping[str, Any]) -> str:
    """What it means for whoever looks at this GAN's images.

    Args:
        health: as `checked` returns it.

    >>> told({"verdict": "HEALTHY", "readings": []})
    'The training that made this GAN ended HEALTHY: no diagnostic of it found a fault.'
    """
    verdict = health["verdict"]
    start = "The training that made this GAN ended"
    if verdict == "HEALTHY":
        return f"{start} HEALTHY: no diagnostic of it found a fault."
    if verdict == "TOO EARLY":
        return f"{start} TOO EARLY for its diagnostics to say whether it went well."
    level = "fail" if verdict == "UNHEALTHY" else "warn"
    rows = [row for row in health["readings"] if row["level"] == level]
    reasons = "; ".join(f"{row['name'].replace('_', ' ')} ({row['words'].rstrip('.')})" for row in rows)
    reasons = f": {reasons}" if reasons else ""
    if verdict == "CHECK":
        return f"{start} in CHECK{reasons}. Look at its samples before you rely on what is said of them."
    what = "collapsed generator" if any(row["name"] == COLLAPSE for row in rows) else "GAN whose training failed"
    return f"{start} UNHEALTHY{reasons}. Explanations of this generator's images describe a {what}."
