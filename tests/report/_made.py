"""A tiny judge, explanations of its verdicts, and a reader of pages, for the tests of reports."""

from __future__ import annotations

from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.explanation import Explainer, Explanation, Plan
from ganexplain.models.critic import Critic
from ganexplain.models.verdict import Calibration

SIZE = 12


class Judge(nn.Module):
    """A curved function of (N, 1, 12, 12), so that no two methods agree exactly."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(SIZE * SIZE, generator=generator) / 4)

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1) * self.weight
        return flat.sum(1) + 0.3 * torch.tanh(3 * flat).sum(1)


def images(n: int, seed: int = 1) -> Tensor:
    """(n, 1, 12, 12) smooth noise in [-1, 1]."""
    noise = torch.randn(n, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    smooth = nn.functional.avg_pool2d(noise, 3, 1, 1)
    return smooth / smooth.abs().amax((1, 2, 3), keepdim=True)


def critic(calibrated: bool = True, kind: str = "logit") -> Critic:
    """The judge with reals and, unless told otherwise, a calibration."""
    known = Calibration(0.2, 1.5, 0.98, 0.5, 200, 300) if calibrated else None
    return Critic(Judge(), output=kind).with_calibration(known).with_reference(images(24, seed=9))


PLAN = Plan(n_segments=9, n_orders=20, n_randomised=2, n_others=3, light=50, baseline="blur", budget="quick")


@lru_cache
def explanation(name: str = "a.png", side: str | None = None, row: int = 0, kind: str = "logit") -> Explanation:
    """One explanation; the same call gives the same one."""
    explainer = Explainer(critic(kind == "logit", kind), PLAN)
    return explainer.explain(images(row + 1)[row:], side=side, name=name)


class Page(HTMLParser):
    """What a browser would load, run and show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1] != tag:
            raise ValueError(f"</{tag}> closes <{self.open[-1]}>")
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    @property
    def words(self) -> str:
        """The text with single spaces."""
        return " ".join(" ".join(self.text).split())

    def values(self, attribute: str) -> list[Any]:
        """Every value of an attribute."""
        return [found[attribute] for _, found in self.tags if attribute in found]
