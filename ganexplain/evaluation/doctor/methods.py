"""What each attribution method can do with this critic, by trying it on one image."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from ganexplain.attribution import METHODS
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.finding import Finding, Topic

CHEAP = {"max_evaluations": 270}  # enough for a first answer; an explanation takes more


def tried() -> Iterator[tuple[str, Callable[[Case], Finding]]]:
    """A check per registered method: its name, and what tries it."""
    for name in METHODS.names():
        yield f"method {name}", lambda case, name=name: _try(case, name)  # type: ignore[misc]


def _try(case: Case, name: str) -> Finding:
    topic, method = Topic(f"method {name}", "evaluations"), METHODS.get(name)
    accepted = inspect.signature(method.__init__).parameters
    options: dict[str, Any] = {key: value for key, value in CHEAP.items() if key in accepted}
    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            found = method(case.critic, batch_size=case.batch_size, **options).attribute(case.some(1), seed=case.seed)
    except ValueError as error:
        if method.needs == "modules":  # such as a map of a convolution, and the model has none
            return topic.skip(f"does not apply: {' '.join(str(error).split())}")
        return topic.warn(None, f"does not work with this model: {' '.join(str(error).split())}", "use another method")
    except Exception as error:  # whatever a library raises on this model is what the finding reports
        sentence = f"does not work with this model: {type(error).__name__}: {' '.join(str(error).split())}"
        return topic.warn(None, sentence, "use another method")
    n = float(found.evaluations.max())
    details = {"evaluations": n} | ({} if found.gap is None else {"gap": float(found.gap.abs().max())})
    if not bool(found.values.any()):
        sentence = "gives a map of zeros: it sees no evidence in the first image"
        return topic.warn(n, sentence, "see the findings on gradients and constant output", details)
    settled = found.converged is None or bool(found.converged.all())
    said = f"works ({n:.0f} evaluations)" if settled else f"works, not yet converged after {n:.0f} evaluations"
    return topic.ok(n, "; ".join(dict.fromkeys([said, *(str(note.message).rstrip(".") for note in notes)])), details)
