"""One update of either network: which logits, which loss, which penalties, and whether the step is taken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain.models.generator import Generator
from ganexplain.training import losses, schedules
from ganexplain.training.batches import Batches
from ganexplain.training.config import Config
from ganexplain.training.penalties import off_unit_slope, squared_slope
from ganexplain.training.world import World

Pass = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Update:
    """What one update saw, over all processes.

    Attributes:
        taken: every gradient was finite, and the optimiser made its step.
        norm: of the gradient, before it is clipped.
        facts: "loss", and of a discriminator "accuracy", "logit_real", "logit_fake" and the penalties.
    """

    taken: bool
    norm: float
    facts: Mapping[str, float]


class Updates:
    """Both players' updates.

    Args:
        networks: the raw generator and the discriminator, in training mode.
        batches: what they are shown.
        config: the game and the optimisers.
        world: where gradients are averaged.
    """

    def __init__(self, networks: tuple[Generator, nn.Module], batches: Batches, config: Config, world: World) -> None:
        self.g, self.d = networks
        self.batches, self.config, self.world = batches, config, world
        self.loss = losses.get(config.loss.name)
        optim = config.optim
        self.opt_g = torch.optim.Adam(self.g.parameters(), lr=optim.lr, betas=optim.betas)
        self.opt_d = torch.optim.Adam(self.d.parameters(), lr=optim.lr * optim.lr_ratio, betas=optim.betas)

    def schedule(self, number: int) -> float:
        """Set both optimisers for a step; the generator's learning rate."""
        lr = schedules.learning_rate(self.config, number)
        beta2 = schedules.beta2(self.config, number)
        for optimiser, ratio in ((self.opt_g, 1.0), (self.opt_d, self.config.optim.lr_ratio)):
            group = optimiser.param_groups[0]
            group["lr"], group["betas"] = lr * ratio, (group["betas"][0], beta2)
        return lr

    def discriminator(self, number: int, turn: int = 0) -> Update:
        """Tell reals from fakes; ``turn`` counts the updates within a step."""
        config = self.config.loss
        real, labels = self.batches.reals((number - 1) * (self.config.optim.n_critic + 1) + turn)
        with torch.no_grad(), self.fast():
            fake = self.drawn(self.batches.noise("d", number, turn), labels).float()
        due = (number - 1) % config.every == 0
        weight = schedules.gamma(self.config, number) * config.every * due
        logits, penalty, facts = [], torch.zeros((), device=real.device), {}
        views = [self.view(labels, number, turn, kind) for kind in ("real", "fake")]
        for name, batch, view in zip(("r1", "r2"), (real, fake), views, strict=True):
            logit, slope = self.judged(view, batch, sloped=name in config.penalties and weight > 0)
            logits.append(logit)
            if slope is not None:
                penalty, facts[name] = penalty + 0.5 * weight * slope, slope
        if "gp" in config.penalties and config.gp and due:
            slope = off_unit_slope(views[0], real, fake, self.batches.between(number, turn)).mean()
            penalty, facts["gp"] = penalty + config.gp * config.every * slope, slope
        loss = self.loss.discriminator(*logits)
        facts |= {"loss": loss, "accuracy": (logits[0] > logits[1]).float().mean()}
        facts |= {"logit_real": logits[0].mean(), "logit_fake": logits[1].mean()}
        return self.stepped(self.opt_d, self.d, loss + penalty, facts)

    def generator(self, number: int) -> Update:
        """Make fakes that score higher; the discriminator is frozen meanwhile."""
        turn = self.config.optim.n_critic
        self.d.requires_grad_(False)
        try:
            real, labels = self.batches.reals((number - 1) * (turn + 1) + turn)
            with self.fast():
                fake = self.view(labels, number, turn, "fake")(self.drawn(self.batches.noise("g", number), labels))
                with torch.no_grad():
                    against = self.view(labels, number, turn, "real")(real) if self.loss.pairs else fake.detach()
            loss = self.loss.generator(against.float(), fake.float())
            return self.stepped(self.opt_g, self.g, loss, {"loss": loss})
        finally:
            self.d.requires_grad_(True)

    def drawn(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        """What the raw generator makes of codes, as the discriminator reads it."""
        return self.g.raw(codes) if labels is None else self.g.raw(codes, labels)

    def view(self, labels: Tensor | None, *keys: int | str) -> Pass:
        """The discriminator's pass over one batch: (N, ...) to (N,) logits."""

        def judged(x: Tensor) -> Tensor:
            seen = self.batches.augmented(x, *keys)
            logits: Tensor = self.d(seen) if labels is None else self.d(seen, labels)
            return logits.flatten()

        return judged

    def judged(self, view: Pass, batch: Tensor, *, sloped: bool) -> tuple[Tensor, Tensor | None]:
        """(N,) logits and, where asked, the mean squared slope."""
        if not sloped:
            with self.fast():
                return view(batch).float(), None
        logits, squared = squared_slope(view, batch)
        if self.config.run.precision != "float32":  # second derivatives of rounded passes are of no use
            with self.fast():
                logits = view(batch).float()
        return logits, squared.mean()

    def fast(self) -> contextlib.AbstractContextManager[object]:
        """Inside it passes are computed in the run's precision."""
        if self.config.run.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.batches.device.type, dtype=torch.bfloat16)

    def stepped(
        self, optimiser: torch.optim.Optimizer, network: nn.Module, goal: Tensor, facts: dict[str, Tensor]
    ) -> Update:
        """Take the step if every gradient is finite; else leave weights and optimiser as they are."""
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(goal)
        numbers = self.world.average(network.parameters(), *(value.detach() for value in facts.values()))
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        # averaged gradients are the same everywhere, NaN and infinity among them: all processes decide alike
        norm = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))
        taken = norm < float("inf")
        if taken:
            clip = self.config.optim.clip
            if clip and norm > clip:
                torch._foreach_mul_(gradients, clip / norm)
            optimiser.step()
        else:
            optimiser.zero_grad(set_to_none=True)
        return Update(taken, norm, dict(zip(facts, numbers, strict=True)))
