"""A trained GAN as one thing: generator, discriminator, judge, what their logits mean, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganexplain import checks, store, tensors
from ganexplain.models.critic import Critic
from ganexplain.models.families import FAMILIES
from ganexplain.models.generator import Generator
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import Calibration

SCHEMA = 1


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
        reals: (R, C, H, W) uint8 held-out real images, or None.
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

    def critic(self, name: str = "judge") -> Critic:
        """The judge or the discriminator on a private copy, calibrated, knowing the held-out reals.

        Raises:
            ValueError: unknown name, or a judge was asked for and there is none yet.
        """
        checks.one_of("critic", name, self.critics)
        network = self.judge if name == "judge" else self.discriminator
        if network is None:
            raise ValueError("this GAN has no judge yet")
        reads = Preprocess(size=self.generator.resolution, channels=self.generator.channels)
        critic = Critic(network, output=self.kinds[name], preprocess=reads)
        critic = critic.with_calibration(self.calibrations.get(name)).with_generator(self.generator)
        critic = critic.with_health(self.card.get("health"))
        return critic if self.reals is None else critic.with_reference(tensors.from_uint8(self.reals))

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
        metadata = {
            "kind": "gan",
            "schema": SCHEMA,
            "family": self.family,
            "architecture": self.architecture,
            "kinds": self.kinds,
            "calibrations": {name: asdict(c) for name, c in self.calibrations.items()},
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

    def samples(self, n: int, *, seed: int = 0) -> Tensor:
        """(n, C, H, W) images of fresh codes, without gradients."""
        return self.generator.render(self.generator.sample(n, seed=seed))

    def __repr__(self) -> str:
        g = self.generator
        size = f"{g.channels}x{g.resolution}x{g.resolution}"
        known = ", ".join(f"{n} AUC {c.auc:.3f}" for n, c in self.calibrations.items() if c.auc is not None)
        return f"GAN({self.family}, {size}, z {g.z_dim}, {known or 'not calibrated'})"


def bundled(name: str) -> GAN:
    """A GAN that comes with the package, by name: "fashion".

    Raises:
        ValueError: there is no such one.
    """
    folder = Path(__file__).parent / "bundled"
    names = sorted(p.stem for p in folder.glob("*.safetensors"))
    return GAN.load(folder / f"{checks.one_of('bundled GAN', name, names)}.safetensors")
