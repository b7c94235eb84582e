"""A trained GAN as one thing: generator, discriminator, judge, what their logits mean, and how it was made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import checks, store, tensors
from ganexplain.models.class_names import listed, numbered
from ganexplain.models.critic import Critic
from ganexplain.models.families import FAMILIES
from ganexplain.models.forms import Images
from ganexplain.models.generator import Generator
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.reader import Reads
from ganexplain.models.verdict import Calibration

SCHEMA = 2  # 2 added class_names, class_shares and real_labels, and calibrations over all classes


@dataclass
class GAN:
    """A generator with its critics.

    Attributes:
        family: name of the architecture's file in ``models/families``.
        architecture: keyword arguments of the family's builders.
        generator: the network to sample from (after training: the moving average of weights).
        discriminator: what the generator was up against; near equilibrium it can hardly tell its fakes from reals.
        judge: the discriminator trained on with cross-entropy against the frozen generator, or None before that step.
        kinds: per critic, the `Critic` output kind: "score" after a relativistic loss, "logit" after cross-entropy.
        calibrations: per critic, what its logit means on held-out images.
        card: how it was made and how good it is; plain JSON.
        reals: (R, C, H, W) uint8 held-out real images, (R, F) float32 rows in their own units, or None.
        real_labels: (R,) int64 their classes, or None.
        class_names: what the classes of a conditional GAN are called, or empty.
        class_shares: how much of the data is of each class, which `samples` follows; empty means equally much.

    Raises:
        ValueError: names or shares that are not one a class.
    """

    family: str
    architecture: dict[str, Any]
    generator: Generator
    discriminator: nn.Module
    judge: nn.Module | None = None
    kinds: dict[str, str] = field(default_factory=lambda: {"discriminator": "score", "judge": "logit"})
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    reals: Tensor | None = None
    real_labels: Tensor | None = None
    class_names: tuple[str, ...] = ()
    class_shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        self.class_names = tuple(map(str, self.class_names))
        self.class_shares = tuple(map(float, self.class_shares))
        classes = self.generator.num_classes
        for name in ("class_names", "class_shares"):
            if len(getattr(self, name)) not in (0, classes):
                raise ValueError(f"{name} must be {classes}, one a class, got {len(getattr(self, name))}")
        shares = self.class_shares
        if shares and not (all(0 <= share < math.inf for share in shares) and sum(shares) > 0):
            raise ValueError(f"class_shares must be 0 or more and not all 0, got {shares}")

    @classmethod
    def build(cls, family: str, *, seed: int = 0, **architecture: Any) -> GAN:
        """An untrained GAN; the same seed gives the same weights."""
        part = FAMILIES.get(family)
        with tensors.isolated(seed):
            return cls(family, architecture, part.generator(**architecture), part.discriminator(**architecture))

    @property
    def critics(self) -> tuple[str, ...]:
        """Names that `critic` takes."""
        return ("discriminator",) if self.judge is None else ("judge", "discriminator")

    def critic(self, name: str = "judge", label: int | str | None = None) -> Critic:
        """The judge or the discriminator on a private copy, calibrated, knowing the held-out reals.

        Args:
            name: "judge" or "discriminator".
            label: the class that it judges for, of a conditional GAN, by number or name; None takes the one that the
                GAN stands at.

        Raises:
            ValueError: unknown name, or a judge was asked for and there is none yet; no class of a conditional GAN.
        """
        checks.one_of("critic", name, self.critics)
        network = self.judge if name == "judge" else self.discriminator
        if network is None:
            raise ValueError("this GAN has no judge yet")
        generator = self.at(label).generator
        reads: Reads = {"num_classes": generator.num_classes, "label": generator.label}
        if isinstance(generator.form, Images):
            reads["preprocess"] = Preprocess(size=generator.resolution, channels=generator.channels)
        else:
            reads["form"] = generator.form
        critic = Critic(network, output=self.kinds[name], **reads)
        if self.class_names:
            critic = critic.with_class_names(self.class_names)
        critic = critic.with_calibration(self.calibrations.get(name)).with_generator(generator)
        critic, reals = critic.with_health(self.card.get("health")), self.held_out
        return critic if reals is None else critic.with_reference(reals, labels=self.real_labels)

    @property
    def held_out(self) -> Tensor | None:
        """(R, C, H, W) the reals in [-1, 1], or (R, F) in their own units; None where there are none."""
        return None if self.reals is None else self.seen(self.reals)

    def seen(self, stored: Tensor) -> Tensor:
        """Bytes (N, C, H, W) of a data set as images in [-1, 1]; rows (N, F) as they are, in their own units."""
        return tensors.from_uint8(stored) if isinstance(self.generator.form, Images) else stored

    def given(self, label: int | str) -> GAN:
        """The same conditional GAN at one class, by number or name: its critics judge for it, its samples are of it.

        Raises:
            ValueError: it knows no classes, or not this one.
        """
        number = numbered(label, self.generator.num_classes, self.class_names, "GAN")
        return replace(self, generator=self.generator.given(number))

    def at(self, label: int | str | None) -> GAN:
        """The GAN at ``label``, or where it stands.

        Raises:
            ValueError: a conditional GAN stands at no class, and none was said.
        """
        if label is not None:
            return self.given(label)
        if self.generator.num_classes and self.generator.label is None:
            raise ValueError(
                f"this GAN draws and judges images of a class; say which, label=0 (--label 0) for instance, of "
                f"{self.classes}"
            )
        return self

    @property
    def classes(self) -> str:
        """The classes in words, such as "0 (shirt), 1 (shoe)"; the first and last where they are many."""
        return listed(self.generator.num_classes, self.class_names)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file: weights, reals, and all else as JSON metadata."""
        parts: Mapping[str, nn.Module | None] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "judge": self.judge,
        }
        state = {f"{part}.{k}": v for part, m in parts.items() if m is not None for k, v in m.state_dict().items()}
        if self.reals is not None:
            state["reals"] = self.reals
        if self.real_labels is not None:
            state["real_labels"] = self.real_labels
        metadata = {
            "kind": "gan",
            "schema": SCHEMA,
            "family": self.family,
            "architecture": self.architecture,
            "kinds": self.kinds,
            "calibrations": {name: asdict(c) for name, c in self.calibrations.items()},
            "class_names": self.class_names,
            "class_shares": self.class_shares,
            "card": self.card,
            "fingerprint": store.fingerprint(state),
        }
        return store.save_tensors(path, state, metadata)

    @classmethod
    def load(cls, path: str | Path) -> GAN:
        """Read a file of `save`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, of another kind, or of a newer version.
        """
        with store.reading(path, "GAN"):
            return cls._loaded(path, *store.load_tensors(path))

    @classmethod
    def _loaded(cls, path: str | Path, state: dict[str, Tensor], metadata: dict[str, Any]) -> GAN:
        if metadata.get("kind") != "gan":
            raise ValueError(f"{path} holds {metadata.get('kind')!r}, expected a GAN")
        if metadata.get("schema", 0) > SCHEMA:
            raise ValueError(
                f"{path} was written by a newer version (schema {metadata['schema']}, this reads {SCHEMA}); "
                "upgrade ganexplain"
            )
        if store.fingerprint(state) != metadata["fingerprint"]:
            raise ValueError(f"{path} is damaged: its weights do not match their fingerprint; copy it again")
        gan = cls.build(metadata["family"], **metadata["architecture"])
        told = {name: metadata.get(name, ()) for name in ("class_names", "class_shares")}
        gan = replace(gan, **told, real_labels=state.pop("real_labels", None))
        gan.kinds, gan.card = metadata["kinds"], metadata["card"]
        gan.calibrations = {name: Calibration(**c) for name, c in metadata["calibrations"].items()}
        gan.reals = state.pop("reals", None)
        if any(name.startswith("judge.") for name in state):
            gan.judge = FAMILIES.get(gan.family).discriminator(**gan.architecture)
        for part in ("generator", "discriminator", "judge"):
            network = getattr(gan, part)
            if network is not None:
                own = {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}
                network.load_state_dict(own)
                network.eval().requires_grad_(False)
        return gan

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the weights of the generator and its critics."""
        state = {f"g.{k}": v for k, v in self.generator.state_dict().items()}
        state |= {f"d.{k}": v for k, v in self.discriminator.state_dict().items()}
        state |= {f"j.{k}": v for k, v in (self.judge.state_dict() if self.judge else {}).items()}
        return store.fingerprint(state)

    def labels(self, n: int, *, seed: int = 0) -> Tensor:
        """(n,) int64 classes to draw, as often as in the data; a larger n continues a smaller one with the same seed.

        Raises:
            ValueError: there are no classes.
        """
        checks.positive(n, "n")
        count, own = self.generator.num_classes, self.generator.label
        if not count:
            raise ValueError("this GAN knows no classes, so there are no labels to draw")
        if own is not None:
            return torch.full((n,), own, dtype=torch.int64)
        edges = torch.tensor(self.class_shares or [1.0] * count, dtype=torch.float64).cumsum(0)
        drawn = torch.from_numpy(tensors.rng(seed, "labels").random(n))
        inner = edges[:-1] / edges[-1]  # a class without a share has no room between its edges
        return torch.searchsorted(inner, drawn, right=True)

    def samples(self, n: int, *, seed: int = 0, labels: Tensor | None = None) -> Tensor:
        """(n, C, H, W) images of fresh codes, or (n, F) rows, without gradients.

        Args:
            n: how many; a larger n continues a smaller one with the same seed.
            seed: decides codes and labels.
            labels: (n,) classes to draw; None takes `labels`.
        """
        if labels is None and self.generator.num_classes:
            labels = self.labels(n, seed=seed)
        return self.generator.render(self.generator.sample(n, seed=seed), labels=labels)

    def __repr__(self) -> str:
        g = self.generator
        size = f"{g.channels}x{g.resolution}x{g.resolution}"
        if not isinstance(g.form, Images):
            size = g.form.many
        classes = f", {g.num_classes} classes" if g.num_classes else ""
        known = ", ".join(f"{n} AUC {c.auc:.3f}" for n, c in self.calibrations.items() if c.auc is not None)
        return f"GAN({self.family}, {size}{classes}, z {g.z_dim}, {known or 'not calibrated'})"


def bundled(name: str) -> GAN:
    """A GAN that comes with the package, by name: "fashion".

    Raises:
        ValueError: there is no such one.
    """
    folder = Path(__file__).parent / "bundled"
    names = sorted(p.stem for p in folder.glob("*.safetensors"))
    return GAN.load(folder / f"{checks.one_of('bundled GAN', name, names)}.safetensors")
