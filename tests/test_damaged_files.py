"""Files that carry this project's mark and are not what they say: one sentence from every loader, never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ganexplain import store
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.methods.saliency import Saliency
from ganexplain.latent.directions import Directions
from ganexplain.latent.finders.sefa import SeFa
from ganexplain.models.gan import GAN

KINDS: dict[str, Any] = {"gan": GAN, "directions": Directions, "attribution": Attribution}


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, Path]:
    gan = GAN.build("dcgan", resolution=8, width=2, z_dim=4)
    made = Saliency(gan.critic("discriminator"), baseline="black").attribute(gan.samples(1))
    found = SeFa(n_directions=2).fit(gan.generator).directions_
    things: dict[str, Any] = {"gan": gan, "directions": found, "attribution": made}
    return {kind: thing.save(tmp_path / f"{kind}.safetensors") for kind, thing in things.items()}


def complaint(kind: str, path: Path) -> str:
    """What the loader says of a file; nothing if it takes it. Anything but a `ValueError` is a fault of the loader."""
    try:
        KINDS[kind].load(path)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_or_changed_entry_is_one_sentence(saved: dict[str, Path], kind: str, tmp_path: Path) -> None:
    tensors, facts = store.load_tensors(saved[kind])
    assert complaint(kind, saved[kind]) == ""
    odd = tmp_path / "odd.safetensors"
    said = []
    for name in facts:
        for changed in ({k: v for k, v in facts.items() if k != name}, {**facts, name: [{}]}):
            said.append(complaint(kind, store.save_tensors(odd, tensors, changed)))
    for name in tensors:
        kept = {k: v for k, v in tensors.items() if k != name} or {"x": torch.zeros(1)}
        said.append(complaint(kind, store.save_tensors(odd, kept, facts)))
    assert sum(bool(text) for text in said) >= 4
    assert not any("\n" in text for text in said)


def test_metadata_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = store.save_tensors(tmp_path / "list.safetensors", {"x": torch.zeros(1)}, ["gan"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="its metadata is a list"):
        GAN.load(path)
