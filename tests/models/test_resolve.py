"""Models by name."""

import sys

import pytest
import torch
from torch import nn

from ganexplain.models import gan as gan_module
from ganexplain.models.critic import Critic
from ganexplain.models.gan import GAN
from ganexplain.models.generator import Generator
from ganexplain.models.resolve import critic_of, generator_of, resolve

FACTORIES = """
from dataclasses import dataclass
from torch import nn
from ganexplain import Critic, Generator
import neighbour_of_the_factory

@dataclass
class Settings:
    slope: float = 0.2

class Linear(nn.Module):
    def forward(self, x):
        return x.flatten(1).sum(1)

def critic():
    import late_neighbour_of_the_factory
    return Critic(Linear())

def generator():
    return Generator.wrap(nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4)), nn.Tanh()), z_dim=3)

def bare():
    return Linear()

def number():
    return 3

def breaks():
    raise RuntimeError("no such weights")

def needs(path):
    return Critic(Linear())

def lost():
    raise FileNotFoundError("set GANEXPLAIN_ASSETS")

def leaves():
    raise SystemExit(1)

CONSTANT = 3
"""


@pytest.fixture
def factories(tmp_path):
    (tmp_path / "mine.py").write_text(FACTORIES)
    (tmp_path / "neighbour_of_the_factory.py").write_text("")
    (tmp_path / "late_neighbour_of_the_factory.py").write_text("")
    return tmp_path / "mine.py"


def small_gan():
    return GAN.build("dcgan", seed=0, resolution=8, z_dim=4, width=4)


def test_factories_of_a_file(factories):
    before = list(sys.path)
    found = resolve(f"{factories}:critic")
    assert isinstance(found, Critic)
    assert found(torch.ones(2, 1, 3, 3)).tolist() == [9, 9]
    assert isinstance(resolve(f"{factories}:generator"), Generator)
    assert sys.path == before


def test_factories_of_a_module(factories, monkeypatch):
    monkeypatch.chdir(factories.parent)
    try:
        assert isinstance(resolve("mine:critic"), Critic)
    finally:
        sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("critc", ValueError, "has no 'critc'; did you mean 'critic'"),
        ("zzz", ValueError, "it has: .*critic, generator, bare"),
        ("bare", TypeError, r"got Linear; wrap it: Critic\(network"),
        ("number", TypeError, "must return a Critic, Generator or GAN, got int"),
        ("breaks", ValueError, "raised RuntimeError: no such weights"),
        ("needs", ValueError, "raised TypeError: .*path"),
        ("lost", FileNotFoundError, "needs a file: set GANEXPLAIN_ASSETS"),
        ("leaves", ValueError, "raised SystemExit"),
        ("CONSTANT", TypeError, "must be a function without arguments, got int"),
    ],
)
def test_what_a_factory_may_do_wrong(factories, name, error, message):
    before = list(sys.path)
    with pytest.raises(error, match=message) as caught:
        resolve(f"{factories}:{name}")
    assert "\n" not in str(caught.value)
    assert sys.path == before
    if name in ("breaks", "needs", "lost", "leaves"):
        assert caught.value.__cause__ is not None


def test_a_saved_gan(tmp_path):
    small_gan().save(tmp_path / "gan.safetensors")
    found = resolve(str(tmp_path / "gan.safetensors"))
    assert isinstance(found, GAN)
    assert found.fingerprint == small_gan().fingerprint
    with pytest.raises(ValueError, match=r"is a folder.*did you mean .*gan\.safetensors"):
        resolve(str(tmp_path))


def test_a_bundled_gan(tmp_path, monkeypatch):
    (tmp_path / "bundled").mkdir()
    small_gan().save(tmp_path / "bundled" / "fashion.safetensors")
    monkeypatch.setattr(gan_module, "__file__", str(tmp_path / "gan.py"))
    assert isinstance(resolve("bundled:fashion"), GAN)
    with pytest.raises(ValueError, match="did you mean 'fashion'"):
        resolve("bundled:fashon")
    with pytest.raises(ValueError, match="did you mean 'bundled:fashion'"):
        resolve("fashion")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("netD.pth", FileNotFoundError, "no file netD.pth"),
        ("netG.pkl", FileNotFoundError, "no file netG.pkl"),
        ("none.safetensors", FileNotFoundError, "no file none.safetensors"),
        ("none.py:critic", FileNotFoundError, "no file none.py"),
        ("none.py", ValueError, "none.py:factory"),
        ("bundle:fashion", FileNotFoundError, "did you mean 'bundled:'"),
        ("no_such_module_at_all:critic", FileNotFoundError, "no module 'no_such_module_at_all'"),
        ("os.no_such:critic", FileNotFoundError, "no module 'os.no_such'"),
        ("https://example.org/gan.pkl", ValueError, "unknown model"),
        ("", ValueError, "unknown model|is a folder"),
    ],
)
def test_names_that_are_no_model(tmp_path, monkeypatch, name, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        resolve(name)


def test_files_that_do_not_run(tmp_path):
    (tmp_path / "broken.py").write_text("def critic(:\n")
    with pytest.raises(ValueError, match="could not be run: SyntaxError"):
        resolve(f"{tmp_path / 'broken.py'}:critic")
    (tmp_path / "lacks.py").write_text("import no_such_library_at_all\n")
    with pytest.raises(ValueError, match="could not be run: ModuleNotFoundError: .*no_such_library_at_all"):
        resolve(f"{tmp_path / 'lacks.py'}:critic")
    assert "_ganexplain_user_broken" not in sys.modules


def test_a_module_that_lacks_a_library_is_not_called_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lacking_module.py").write_text("import no_such_library_at_all\n")
    with pytest.raises(ValueError, match="lacking_module could not be imported: .*no_such_library_at_all"):
        resolve("lacking_module:critic")


def test_parts_of_a_model(factories):
    critic, generator, gan = Critic(nn.Flatten(0)), resolve(f"{factories}:generator"), small_gan()
    assert critic_of(critic) is critic
    assert critic_of(f"{factories}:critic").kind == "logit"
    assert generator_of(generator) is generator
    assert generator_of(gan) is gan.generator
    x = torch.zeros(2, 1, 8, 8) + 0.3
    assert torch.equal(critic_of(gan, "discriminator")(x), gan.critic("discriminator")(x))
    with pytest.raises(ValueError, match="Generator, which judges nothing"):
        critic_of(generator)
    with pytest.raises(ValueError, match="Critic, which makes no images"):
        generator_of(critic)
    with pytest.raises(ValueError, match="there are: discriminator"):
        critic_of(gan)
