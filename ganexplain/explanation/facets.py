"""The same verdict in other coordinates than places: in frequencies, and in latent directions."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.baselines._fixed import Fixed
from ganexplain.attribution.chart import Chart, Domain
from ganexplain.attribution.domains.frequency import Frequency, radial_profile, standing_out
from ganexplain.attribution.domains.latent import Latent, rest_share
from ganexplain.evaluation import faithfulness
from ganexplain.explanation.case import Case, fitted
from ganexplain.explanation.checking import Examined
from ganexplain.explanation.codes import Coded
from ganexplain.explanation.explanation import Facet
from ganexplain.explanation.plan import IN_CODES, Amounts, Plan, suited
from ganexplain.explanation.view import View
from ganexplain.models.critic import Critic

PARTS = {"frequency": "bands", "latent": "directions"}
# few parts are told apart by fewer evaluations; an image that has to be drawn first costs more than a judgement
IN_BANDS, OF_CODES = Amounts(200, 5, 10, 100), Amounts(100, 3, 5, 100)
SPARE = 4  # origins of maps that are only compared with
PROFILES = 200  # reals whose spectra are kept beside that of the image
ENOUGH = 20  # reals from which a spectrum that leaves theirs is named


def methods_in(domain: str, critic: Critic, plan: Plan) -> tuple[str, ...]:
    """The plan's methods without those that reach into layers, whose maps have places; else the default ones.

    Along great circles a gradient predicts badly what resampling a direction does, so that codes have methods of their
    own.
    """
    if domain == "latent" and plan.methods == suited(critic):
        return IN_CODES
    found = tuple(name for name in plan.methods if METHODS.get(name).needs != "modules")
    return found or suited(critic)


def frequency(critic: Critic, image: Tensor, plan: Plan) -> View:
    """In what way: bands of frequencies."""
    domain = Frequency(**plan.frequency)
    chart = domain.bind(critic, image, image)
    return _view(critic, plan, domain, chart, image)


def latent(critic: Critic, coded: Coded, plan: Plan) -> View:
    """Which latent direction: amounts along directions of the image's code."""
    domain = coded.domain
    generator = domain.of(critic)
    chart = domain.bind(critic, coded.code, coded.code)
    made = domain.origins(generator) if coded.origins is None else coded.origins
    view = _view(critic, plan, domain, chart, coded.code)

    def others(most: int) -> Tensor:
        return Latent(generator, domain.directions, space=domain.space, n_origins=most, seed=plan.seed + 1).origins(
            generator
        )

    return dataclasses.replace(
        view,
        baseline=_codes(made, coded.judged),
        spare=_codes(made[:SPARE], coded.judged),
        others=others,
        amounts=at_most(plan.amounts, OF_CODES),
    )


def _codes(made: Tensor, judged: str) -> Fixed:
    """Codes (K, D) as a baseline."""
    which = f" judged {judged}" if judged else ""
    if len(made) == 1:
        return Fixed(made, f"a random code{which}")
    return Fixed(made[None], f"{len(made)} random codes{which}", len(made))


def at_most(asked: Amounts, most: Amounts) -> Amounts:
    """The smaller of each two amounts."""
    return Amounts(*(min(a, b) for a, b in zip(dataclasses.astuple(asked), dataclasses.astuple(most), strict=True)))


def _view(critic: Critic, plan: Plan, domain: Domain, chart: Chart, inputs: Tensor) -> View:
    if chart.players is None:
        raise ValueError(f"the domain {chart.domain!r} has no parts that could be removed")
    return View(
        name=chart.domain,
        parts=PARTS[chart.domain],
        inputs=inputs,
        labels=chart.players[0],
        methods=methods_in(chart.domain, critic, plan),
        domain=lambda needs, labels: domain,
        amounts=at_most(plan.amounts, IN_BANDS),
        names=chart.names,
    )


def bare(case: Case, view: View, chart: Chart, coded: Coded | None) -> Facet:
    """The facet before any attribution: the input without each part, and what the domain found beside."""
    images, logits = removed(chart, case.plan.batch_size)
    facts: dict[str, Any] = dict(chart.facts)
    arrays: dict[str, Tensor] = {}
    notes: tuple[str, ...] = ()
    if view.name == "frequency":
        found, arrays = spectra(case, chart)
        facts |= found
    if coded is not None:
        facts |= coded.facts
        arrays, notes = {"code": coded.code.detach().clone()}, coded.notes
    doubted = coded is not None and coded.doubted
    return Facet(view.name, view.names, {}, {}, images, logits, facts, arrays, notes, doubted)


def filled(facet: Facet, found: Examined) -> Facet:
    """The facet with what was examined."""
    notes = (*facet.notes, *found.notes, *(note for a in found.attributions.values() for note in a.notes))
    facts = dict(facet.facts)
    if facet.domain == "latent" and found.attributions:
        first: Attribution = next(iter(found.attributions.values()))
        facts["rest"] = float(rest_share(first.totals(), facet.names)[0])
    told = tuple(dict.fromkeys(notes))
    return dataclasses.replace(facet, attributions=found.attributions, trusts=found.trusts, facts=facts, notes=told)


def removed(chart: Chart, batch_size: int) -> tuple[Tensor, Tensor]:
    """(P, C, H, W) the input without each part, and (P,) the logits: of a set of baselines their means."""
    charts = faithfulness.members(chart)
    logits, shown = [], torch.empty(0)
    for one in reversed(charts):  # the first member is shown
        points = one.without(0)
        rows = torch.zeros(len(points), dtype=torch.long, device=points.device)
        logits.append(one.values(points, rows, batch_size))
        if one.image is None:
            raise ValueError(f"the domain {chart.domain!r} has no images")
        shown = tensors.batched(one.image, batch_size, points, rows) if one is charts[0] else shown
    return shown.detach(), torch.stack(logits).mean(0).to(shown)


def spectra(case: Case, chart: Chart) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The power by frequency of the image, of what it is compared with, and of the reals; what stands out of theirs."""
    if chart.image is None:
        return {}, {}
    rows = torch.zeros(1, dtype=torch.long, device=chart.origin.device)
    own, origin = radial_profile(case.image), radial_profile(chart.image(chart.origin, rows))
    arrays = {
        "frequency": own.cycles.double(),
        "radial": own.log_power[0],
        "radial_baseline": origin.log_power[0],
    }
    reference = case.critic.reference
    if reference is None or reference.images.shape[1] != case.image.shape[1]:
        return {"standing_out": []}, arrays
    reals = radial_profile(fitted(case.critic, reference.images, case.image)).log_power
    arrays["radial_reals"] = reals[:PROFILES]
    if len(reals) < ENOUGH:
        return {"standing_out": []}, arrays
    arrays["radial_outside"] = out = standing_out(own.log_power, reals)[0]
    return {"standing_out": own.cycles[out.nonzero().flatten()].tolist()}, arrays
