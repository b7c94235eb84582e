"""The result of a method: how much each coordinate contributed to a verdict, with unit and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, store
from ganexplain.attribution import players as groups
from ganexplain.models.forms import IMAGES, Form, Images, form_of
from ganexplain.models.verdict import Verdict

SHARES_FROM = 0.1  # |net| / gross above which a share of the net means anything
SCALED = ("logit", "score")  # units of which a share means anything


@dataclass(frozen=True)
class Contribution:
    """One player's part.

    Attributes:
        player: its label.
        value: signed, in the attribution's unit; positive speaks for the side.
        share: of the net sum, or None where positive and negative parts nearly cancel, or have no scale.
        error: standard error of ``value``, or None for a method that does not sample.
        name: what it is called, or nothing where only its place says what it is.
    """

    player: int
    value: float
    share: float | None
    error: float | None
    name: str = ""


@dataclass(frozen=True)
class Attribution:
    """Signed contributions of N inputs; positive is evidence for ``side``.

    Attributes:
        values: (N, *coordinates), unscaled, in ``unit``.
        players: (1 or N, *coordinates) canonical labels, or None.
        images: (N, C, H, W) what was explained, for display; rows (N, F) or signals (N, C, L) in their own units.
        origins: the baseline, of the same shape, for display.
        verdict: the critic's judgement of ``images``.
        origin_logit: (N,) the critic's logit of the baseline, higher is more real.
        side: "fake" or "real".
        method: the method's name.
        domain: the domain's name.
        baseline: the baseline's name.
        params: parameters of method and domain, JSON-able.
        unit: "logit", "score" (uncalibrated), "logit per unit" (gradients) or "a.u." (no scale of their own).
        gap: (N,) sum of values minus the change of the evidence from baseline to image, or None if the method
            promises no sum.
        error: (N, P) standard error of each player's total, or None for a method that does not sample.
        converged: (N,) bool, or None for a method that has nothing to converge.
        evaluations: (N,) forward passes of the critic that were used.
        quality: (N,) a fit's R^2, or None.
        notes: what a reader must know, one sentence each.
        form: what kind of input was explained.
        names: what each player is called, by its label; empty where a place says it better.
    """

    values: Tensor
    players: Tensor | None
    images: Tensor
    origins: Tensor
    verdict: Verdict
    origin_logit: Tensor
    side: str
    method: str
    domain: str
    baseline: str
    params: Mapping[str, Any]
    unit: str
    evaluations: Tensor
    gap: Tensor | None = None
    error: Tensor | None = None
    converged: Tensor | None = None
    quality: Tensor | None = None
    notes: tuple[str, ...] = field(default=())
    form: Form = IMAGES
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def compares(self) -> bool:
        """Whether the values are measured from the baseline; where they are not, it only stands beside the map."""
        from ganexplain.attribution import METHODS

        return self.method not in METHODS.names() or bool(METHODS.get(self.method).compares)

    @property
    def _own(self) -> bool:
        """Whether the coordinates are the images' own values; coefficients may have their shape."""
        from ganexplain.attribution import DOMAINS

        return self.domain not in DOMAINS.names() or bool(DOMAINS.get(self.domain).own)

    @property
    def shares(self) -> Tensor:
        """(N,) bool: parts of the net sum mean something: values in the critic's unit that do not nearly cancel."""
        return (self.concentration >= SHARES_FROM) & (self.unit in SCALED)

    @property
    def change(self) -> Tensor:
        """(N,) evidence for ``side`` of the image minus that of the baseline."""
        return checks.side(self.side) * (self.verdict.logit - self.origin_logit)

    def totals(self, players: Tensor | None = None) -> Tensor:
        """(N, P) value per player; ``players`` sums over other groups of the same coordinates.

        Raises:
            ValueError: there are no players.
        """
        labels = self.players if players is None else players
        if labels is None:
            raise ValueError(
                f"the domain {self.domain!r} has no players; give labels of the shape {tuple(self.values.shape[1:])}"
            )
        return groups.totals(self.values, labels)

    def heatmap(self) -> Tensor:
        """(N, H, W) signed values summed over channels.

        Raises:
            ValueError: the coordinates are no pixels.
        """
        shaped = isinstance(self.form, Images) and self.values.shape[1:] == self.images.shape[1:]
        if not shaped or not self._own:
            raise ValueError(f"the domain {self.domain!r} has no map of pixels; use totals()")
        return self.values.sum(1)

    @property
    def net(self) -> Tensor:
        """(N,) sum of the values."""
        return self.values.flatten(1).sum(1)

    @property
    def gross(self) -> Tensor:
        """(N,) sum of the absolute values per player (per coordinate where there are no players)."""
        parts = self.values.flatten(1) if self.players is None else self.totals()
        return parts.abs().sum(1)

    @property
    def concentration(self) -> Tensor:
        """(N,) |net| / gross: near zero, positive and negative parts cancel and shares mean nothing."""
        return self.net.abs() / self.gross.clamp(min=torch.finfo(self.values.dtype).tiny)

    def top(self, k: int = 3, *, row: int = 0) -> list[Contribution]:
        """The ``k`` players with the largest absolute value of input ``row``, strongest first."""
        checks.positive(k, "k")
        total = self.totals()[row]
        order = total.abs().argsort(descending=True, stable=True)[:k]
        shares = bool(self.shares[row])
        net = float(self.net[row])
        return [
            Contribution(
                int(i),
                float(total[i]),
                float(total[i]) / net if shares else None,
                None if self.error is None else float(self.error[row, i]),
                self.names[i] if self.names else "",
            )
            for i in order.tolist()
            if total[i] != 0
        ]

    def __getitem__(self, row: int) -> Attribution:
        """The attribution of one input, still as a batch of one."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"there are {len(self)} inputs, got the index {row}")
        row %= len(self)

        def cut(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[row : row + 1]

        players = self.players if self.players is None or len(self.players) == 1 else self.players[row : row + 1]
        changes = {name: cut(getattr(self, name)) for name in TENSORS if name != "players"}
        v = self.verdict
        verdict = Verdict(v.logit[row : row + 1], v.threshold, cut(v.probability), v.auc, v.placed)
        return Attribution(**{**vars(self), **changes, "players": players, "verdict": verdict})

    def plot(self, *, row: int = 0, smooth: float = 0.125) -> Any:
        """A matplotlib Figure: image, baseline and signed map; a spectrum; bars of features; or the line of a signal.

        Args:
            row: which input.
            smooth: width of the moving average in image widths, half of that in a spectrum; 0 shows the raw map. Of
                images alone.
        """
        if self.domain == "frequency":
            return self._spectrum(row, smooth / 2)
        if not isinstance(self.form, Images):
            from ganexplain.figures.rows import values_figure

            return values_figure(self[row])
        from ganexplain.figures.maps import attribution_figure

        return attribution_figure(self[row], smooth=smooth)

    def _spectrum(self, row: int, smooth: float) -> Any:
        from ganexplain.attribution.domains.frequency import spectrum_of
        from ganexplain.figures import style
        from ganexplain.figures.frequencies import spectrum_figure

        plane = spectrum_of(self[row])
        real = plane.values[0] if style.signless(self.unit) else checks.side(self.side) * plane.values[0]
        return spectrum_figure(real, plane.down, plane.across, size=plane.size, unit=self.unit, smooth=smooth)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file that `load` reads."""
        tensors = {name: getattr(self, name) for name in TENSORS if getattr(self, name) is not None}
        tensors["verdict.logit"] = self.verdict.logit
        if self.verdict.probability is not None:
            tensors["verdict.probability"] = self.verdict.probability
        facts = {name: getattr(self, name) for name in WORDS} | {"form": self.form.to_json()}
        verdict = {"threshold": self.verdict.threshold, "auc": self.verdict.auc, "placed": self.verdict.placed}
        return store.save_tensors(path, tensors, {"kind": "attribution", **facts, "verdict": verdict})

    @classmethod
    def load(cls, path: str | Path) -> Attribution:
        """Read a file of `save`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it holds something else.
        """
        tensors, facts = store.load_tensors(path)
        if facts.pop("kind", None) != "attribution":
            raise ValueError(f"{path} holds no attribution")
        with store.reading(path, "attribution"):
            known = facts.pop("verdict")
            verdict = Verdict(
                tensors.pop("verdict.logit"),
                known["threshold"],
                tensors.pop("verdict.probability", None),
                known["auc"],
                known["placed"],
            )
            facts["notes"], facts["names"] = tuple(facts["notes"]), tuple(facts.get("names", ()))
            facts["form"] = form_of(facts.get("form", IMAGES.to_json()))
            rest = {name: tensors.get(name) for name in TENSORS}
            return cls(**facts, **rest, verdict=verdict)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        shape = tuple(self.values.shape)
        return (
            f"Attribution({self.method} in {self.domain}, {shape}, for {self.side!r}, from {self.baseline}, "
            f"net {float(self.net.mean()):.3g} of gross {float(self.gross.mean()):.3g} {self.unit})"
        )


TENSORS = (
    "values",
    "players",
    "images",
    "origins",
    "origin_logit",
    "evaluations",
    "gap",
    "error",
    "converged",
    "quality",
)
WORDS = ("side", "method", "domain", "baseline", "params", "unit", "notes", "names")
