"""What every layout owes its callers, whatever network it rebuilds."""

import tomllib
from dataclasses import fields

import pytest
import torch
from torch import nn

from ganexplain import tensors
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import LAYOUTS, Found, recognised
from ganexplain.models.signal import Signal
from ganexplain.models.spec import SECTIONS, Spec
from ganexplain.models.table import Table
from tests.models.foreign import _conditionals, _detectors, _patchgans, _stacks, _stylegan2
from tests.models.foreign.test_classifier import Functional
from tests.models.foreign.test_meso4 import plain
from tests.models.foreign.test_xception import state as xception

LONGEST = 120  # characters of a line
FORMS = {"table": Table, "signal": Signal}
NETWORKS = {
    "dcgan": _stacks.tutorial,
    "dcgan, generator": _stacks.tutorial_generator,
    "dcgan, spectral": lambda: _stacks.tutorial(norm="spectral"),
    "dcgan, instance": _stacks.wgan_gp,
    "dcgan, layers": _stacks.layer_normed,
    "dcgan, copied": _stacks.Copied,
    "dcgan, copied generator": _stacks.CopiedGenerator,
    "mlp": lambda: nn.Sequential(nn.Linear(784, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)),
    "mlp, generator": lambda: nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 784)),
    "mlp, rows": lambda: nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)),
    "mlp, classes": lambda: nn.Sequential(nn.Linear(784, 8), nn.LeakyReLU(0.2), nn.Linear(8, 2)),
    "conditional": _conditionals.Vector,
    "conditional, plane": _conditionals.Plane,
    "conditional, branches": _conditionals.Branches,
    "conditional, heads": _conditionals.Heads,
    "conditional, patches": _conditionals.ConvHeads,
    "conditional, projection": _conditionals.Projection,
    "conditional, generator": _conditionals.ConvG,
    "patchgan": _patchgans.n_layers,
    "patchgan, padded": _patchgans.padded,
    "patchgan, scales": _patchgans.Scales,
    "classifier": lambda: Functional(1, 6, 16, 5, 400),
}
STATES = {
    "meso4": lambda: plain(counter=True),
    "resnet": lambda: _detectors.headed(_detectors.resnet(), 32),
    "xception": xception,
    "stylegan2": lambda: _stylegan2.generator("skip"),
    "stylegan2, classes": lambda: _stylegan2.generator("resnet", _stylegan2.CLASSES),
    "stylegan2, discriminator": lambda: _stylegan2.discriminator("resnet"),
}


def weights_of(name: str) -> Weights:
    if name in STATES:
        return Weights("", STATES[name]())
    with tensors.isolated(0):
        return Weights("", NETWORKS[name]().eval().state_dict())


def answers(found: Found, spec: Spec) -> torch.Tensor:
    """What the network returns for two inputs, of class 1 where it knows classes."""
    channels, size = spec.images.channels or 3, spec.images.size or 64
    shape = (channels, size, size) if isinstance(size, int) else (channels, *size)
    if found.role == "generator":
        shape = (spec.generator.z_dim,)
    elif spec.table:
        shape = (len(spec.table["names"]),)
    labels = [torch.tensor([1, 1])] if found.num_classes else []
    with torch.no_grad(), tensors.isolated(0):
        return found.network(tensors.normal(0, "x", shape=(2, *shape)), *labels)


def known(key: str, layout: str) -> bool:
    """Whether a spec may say this key for a file of this layout."""
    section, _, name = key.partition(".")
    if not name:
        return section in {f.name for f in fields(Spec)}
    if section == "architecture":
        return name in LAYOUTS.get(layout).options
    kind = SECTIONS.get(section) or FORMS[section]
    return name in {f.name for f in fields(kind) if f.init}


@pytest.mark.parametrize("name", [*NETWORKS, *STATES])
def test_what_a_layout_owes(name):
    weights = weights_of(name)
    before, state = torch.random.get_rng_state(), {key: tensor.clone() for key, tensor in weights.tensors.items()}
    found = recognised(weights, Spec())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(tensor, state[key]) for key, tensor in weights.tensors.items())
    assert found.layout == name.split(",")[0]
    assert not any(module.training for module in found.network.modules())
    assert found.lines
    assert [line for line in found.lines if len(line) > LONGEST or "\n" in line] == []
    assert [key for key in found.unknown if not known(key, found.layout)] == []
    written = Spec.of(tomllib.loads(found.spec.toml()))
    assert written.to_dict() == found.spec.to_dict()
    assert written.layout == found.layout
    again = recognised(weights, written)
    assert (again.layout, again.role, again.num_classes) == (found.layout, found.role, found.num_classes)
    assert again.spec.to_dict() == written.to_dict()
    torch.testing.assert_close(answers(again, written), answers(found, found.spec))


def test_every_layout_is_held_to_it():
    assert {name.split(",")[0] for name in (*NETWORKS, *STATES)} == set(LAYOUTS.names())
