"""What else is read of a verdict: patches, labels, the dependence on the baseline, and what would turn it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ganexplain.attribution import COUNTERFACTUALS, METHODS
from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.attribution.domains.frequency import Frequency
from ganexplain.evaluation.dependence import FEWER, Dependence, contrasting
from ganexplain.evaluation.dependence import dependence as measured
from ganexplain.explanation.case import Case, light, method_of
from ganexplain.explanation.codes import Coded
from ganexplain.explanation.plan import READINGS, Plan
from ganexplain.explanation.view import View
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images
from ganexplain.models.labelled import LabelReading, reading
from ganexplain.models.patches import PatchMap, patch_map

COMPARED = 3  # baselines between which the dependence is measured
JUDGED = 4096  # reals under all labels, at most
FIELDS = 64  # passes in which the receptive fields of a patch map are found, about


def readings_of(critic: Critic, plan: Plan) -> tuple[str, ...]:
    """The readings that are asked for, or that budget and model allow."""
    if plan.readings is not None:
        return tuple(dict.fromkeys(plan.readings))
    if plan.budget == "quick":
        return ()
    fits = {
        "patches": isinstance(critic.form, Images) and critic.pools,
        "labels": critic.num_classes > 0,
        "dependence": True,
    }
    return tuple(name for name in READINGS if fits[name])


def counterfactuals_of(critic: Critic, plan: Plan, coded: Coded | None) -> tuple[str, ...]:
    """The kinds of change that are asked for, or that budget and model allow."""
    if plan.counterfactuals is not None:
        return tuple(dict.fromkeys(plan.counterfactuals))
    if plan.budget != "thorough":
        return ()
    found = []
    for name in COUNTERFACTUALS.names():
        kind = COUNTERFACTUALS.get(name)
        if not critic.differentiable and getattr(kind, "needs", "calls") == "gradients":
            continue
        if "code" in inspect.signature(kind).parameters and (coded is None or coded.doubted):
            continue
        found.append(name)
    return tuple(found)


def patches(case: Case) -> PatchMap:
    """What the cells of a patch discriminator say."""
    return patch_map(case.critic, case.image, batch_size=case.plan.batch_size)


def labels(case: Case) -> LabelReading:
    """What a conditional critic says under every label."""
    return reading(case.critic, case.image, batch_size=case.plan.batch_size)


def dependence(case: Case, view: View) -> Dependence:
    """How far the values of the plan's first method depend on the baseline."""
    name, plan = view.methods[0], case.plan
    found = contrasting(case.critic, case.image, case.side, case.start(name), n=COMPARED, batch_size=plan.batch_size)
    return measured(case.light(name, view), case.image, view.labels, side=case.side, baselines=found, seed=plan.seed)


def counterfactual(case: Case, name: str, view: View, code: Tensor | None, coded: Coded | None) -> Counterfactual:
    """The smallest change of one kind that turns the verdict.

    Args:
        case: the image.
        name: of the kind.
        view: of its places.
        code: (1, D) the image's own code, if it was given.
        coded: what the latent domain knows, if it was explained.
    """
    kind: Callable[..., Any] = COUNTERFACTUALS.get(name)
    plan = case.plan
    offered: dict[str, Any] = {
        "batch_size": plan.batch_size,
        "baseline": plan.baseline,
        "domain": Frequency(**plan.frequency) if name == "bands" else view.domain("calls", view.labels),
        "code": code,
        "directions": plan.directions if coded is None else coded.domain.directions,
        "space": plan.space if coded is None else coded.domain.space,
    }
    takes = inspect.signature(kind).parameters
    made = kind(case.critic, **{word: value for word, value in offered.items() if word in takes})
    found: Counterfactual = made.find(case.image, seed=plan.seed)
    return found


def planned(critic: Critic, view: View, plan: Plan) -> int:
    """The most forward passes of the readings; those of counterfactuals are not known before, and are left out."""
    asked, name = readings_of(critic, plan), view.methods[0]
    total = FIELDS * ("patches" in asked)
    if "labels" in asked:
        reals = 0 if critic.reference is None else len(critic.reference.images)
        total += critic.num_classes + min(JUDGED, critic.num_classes * reals)
    if "dependence" in asked:
        needs = METHODS.get(name).needs
        method = light(
            method_of(critic, plan, name, view.domain(needs, view.labels), plan.baseline), view.amounts.light
        )
        sets = 1 if isinstance(critic.form, Images) else FEWER  # of which one may be compared where there is no blur
        total += (COMPARED - 1 + sets) * method.passes(view.count if needs == "calls" else view.labels.numel())
        total += 2 * COMPARED + sets
    return total
