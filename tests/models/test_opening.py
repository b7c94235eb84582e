"""A file of weights as a critic or generator: its verdict is the network's own, and what was assumed is said."""

import io
import json

import pytest
import torch
from torch import nn

from ganexplain import Critic, Generator
from ganexplain.cli.main import main
from ganexplain.models.conditional import Conditioned
from ganexplain.models.opening import open_model
from ganexplain.models.resolve import critic_of, generator_of, resolve
from ganexplain.models.spec import CriticSpec, ImageSpec, Spec
from tests.models.foreign import _conditionals
from tests.models.foreign._patchgans import trained


def discriminator():
    """The PyTorch tutorial's, narrow, for 32 x 32 colour images."""
    layers = [nn.Conv2d(3, 4, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(4, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(8, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.LeakyReLU(0.2)]
    return seen(nn.Sequential(*layers, nn.Conv2d(16, 1, 4, 1, 0, bias=False)), torch.randn(64, 3, 32, 32))


def generator():
    layers = [nn.ConvTranspose2d(10, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    layers += [nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    layers += [nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU()]
    layers += [nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False), nn.Tanh()]
    return seen(nn.Sequential(*layers), torch.randn(64, 10, 1, 1))


def seen(network, x):
    """In eval mode, after BatchNorm has seen data."""
    with torch.no_grad():
        network.train()(x)
    return network.eval()


@pytest.fixture
def files(tmp_path):
    torch.manual_seed(3)
    d, g = discriminator(), generator()
    torch.save(d.state_dict(), tmp_path / "netD.pth")
    torch.save(g.state_dict(), tmp_path / "netG.pth")
    torch.save({"netG": g.state_dict(), "netD": d.state_dict(), "epoch": 3}, tmp_path / "both.pt")
    return tmp_path, d, g


IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_verdict_is_the_networks_own(files):
    folder, d, _ = files
    wanted = d(IMAGES).flatten()
    for critic in (
        Critic.from_checkpoint(folder / "netD.pth"),
        Critic.from_checkpoint(folder / "both.pt"),
        Critic.from_checkpoint(folder / "both.pt", network="netD", layout="dcgan"),
        resolve(str(folder / "both.pt")),
        critic_of(str(folder / "netD.pth")),
    ):
        assert torch.allclose(critic(IMAGES), wanted, atol=1e-5)
    about = critic.about
    assert about.layout == "dcgan"
    assert any("slope" in what for what in about.unknown)
    assert "netD.pth, layout dcgan" in about.text
    assert str(folder) not in json.dumps(about.to_dict())


def test_a_generator_and_its_other_half(files):
    folder, _, g = files
    made = Generator.from_checkpoint(folder / "both.pt", spec=Spec(architecture={"activation": "relu"}))
    codes = made.sample(3, seed=1)
    assert torch.allclose(made.synthesize(codes), g(codes[:, :, None, None]), atol=1e-5)
    assert isinstance(open_model(folder / "netG.pth"), Generator)
    assert isinstance(open_model(folder / "netD.pth"), Critic)
    with pytest.raises(ValueError, match=r"is a generator \(layout dcgan\), which judges nothing"):
        critic_of(str(folder / "netG.pth"))
    with pytest.raises(ValueError, match=r"is a critic \(layout dcgan\), which makes no images"):
        generator_of(str(folder / "netD.pth"))


def test_what_is_said_counts(files):
    folder, d, _ = files
    said = Spec(critic=CriticSpec(polarity="fake"), images=ImageSpec(range=(0, 1)))
    critic = Critic.from_checkpoint(folder / "netD.pth", spec=said)
    assert torch.allclose(critic(IMAGES), -d((IMAGES + 1) / 2).flatten(), atol=1e-5)
    again = critic.about.reread(said.over(Spec()).over(critic.about.spec))
    assert torch.equal(again(IMAGES), critic(IMAGES))
    path = said.write(folder / "my.toml")
    assert torch.equal(Critic.from_checkpoint(folder / "netD.pth", spec=path)(IMAGES), critic(IMAGES))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_program_runs_as_it_is(files):
    folder, d, _ = files
    torch.jit.save(torch.jit.trace(d, IMAGES), folder / "net.ts")
    critic = Critic.from_checkpoint(folder / "net.ts", spec=Spec(images=ImageSpec(size=32, channels=3)))
    x = IMAGES.clone().requires_grad_(True)
    critic(x).sum().backward()
    assert torch.allclose(critic(IMAGES), d(IMAGES).flatten(), atol=1e-5)
    assert float(x.grad.abs().max()) > 0
    assert critic.about.layout == "torchscript"
    assert critic.differentiable


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_a_program_returns_and_reads_is_tried(files):
    folder, d, g = files
    torch.jit.save(torch.jit.trace(nn.Sequential(d, nn.Sigmoid(), nn.Flatten(0)), IMAGES), folder / "p.ts")
    two = nn.Sequential(d, nn.Flatten(), nn.Linear(1, 2))
    torch.jit.save(torch.jit.trace(nn.Sequential(two, nn.Softmax(1)), IMAGES), folder / "two.ts")
    torch.jit.save(torch.jit.trace(two, IMAGES), folder / "logits.ts")
    torch.jit.save(torch.jit.trace(g, torch.randn(2, 10, 1, 1)), folder / "g.ts")
    said = Spec(images=ImageSpec(size=32, channels=3))
    found = {name: Critic.from_checkpoint(folder / f"{name}.ts", spec=said) for name in ("p", "two", "logits")}
    assert {name: critic.kind for name, critic in found.items()} == {
        "p": "probability",
        "two": "class_probabilities",
        "logits": "classes",
    }
    assert torch.allclose(found["p"](IMAGES), d(IMAGES).flatten(), atol=1e-3)
    assert torch.allclose(found["two"](IMAGES), found["logits"](IMAGES), atol=1e-3)
    assert set(found["p"].about.unknown) == {"critic.output", "critic.polarity", "images.range"}
    fake = Spec(critic=CriticSpec(polarity="fake"), images=said.images)
    assert "critic.polarity" not in Critic.from_checkpoint(folder / "p.ts", spec=fake).about.unknown
    for more in ({"label": 3}, {"network": "netD"}, {"architecture": {"slope": 0.1}}):
        with pytest.raises(ValueError, match="was given, but p.ts is a program"):
            Critic.from_checkpoint(folder / "p.ts", spec=Spec(**more))
    made = Generator.from_checkpoint(folder / "g.ts")  # its weights tell the length of a code
    codes = made.sample(3)
    assert torch.allclose(made.synthesize(codes), g(codes[:, :, None, None]), atol=1e-5)


def test_rows_of_a_table(tmp_path):
    torch.manual_seed(5)
    d = nn.Sequential(nn.Linear(5, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1)).eval()
    g = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 5), nn.Tanh()).eval()
    torch.save(d.state_dict(), tmp_path / "netD.pth")
    torch.save(g.state_dict(), tmp_path / "netG.pth")
    rows = torch.randn(4, 5)
    plain = Critic.from_checkpoint(tmp_path / "netD.pth")
    assert torch.allclose(plain(rows), d(rows).flatten(), atol=1e-6)
    assert plain.form.names == tuple(f"feature {i}" for i in (1, 2, 3, 4, 5))
    assert "table.names" in plain.about.unknown
    names = ["age", "height", "weight", "pulse", "score"]
    (tmp_path / "my.toml").write_text(f"[table]\nnames = {names}\nmean = 2.0\nstd = 3.0\nunits = {{height = 'cm'}}\n")
    spec = Spec.read(tmp_path / "my.toml")
    assert Spec.read(spec.write(tmp_path / "again.toml")) == spec
    told = Critic.from_checkpoint(tmp_path / "netD.pth", spec=spec)
    assert torch.allclose(told(rows * 3 + 2), d(rows).flatten(), atol=1e-5)
    assert told.form.names == tuple(names)
    made = Generator.from_checkpoint(tmp_path / "netG.pth", spec=spec)
    codes = made.sample(4)
    assert torch.allclose(made.synthesize(codes), g(codes) * 3 + 2, atol=1e-5)
    assert isinstance(open_model(tmp_path / "netG.pth"), Generator)
    with pytest.raises(ValueError, match=r"\[table\] names 2 columns, and the network has 5"):
        Critic.from_checkpoint(tmp_path / "netD.pth", spec=Spec(table={"names": ["a", "b"]}))
    with pytest.raises(ValueError, match=r"unknown key of \[table\] 'unit'; did you mean 'units'"):
        Critic.from_checkpoint(tmp_path / "netD.pth", spec=Spec(table={"names": names, "unit": {}}))
    with pytest.raises(ValueError, match="leave one out"):
        Spec(table={"names": ["a"]}, signal={"length": 5})


def test_a_probability_is_the_logit_that_the_rebuilt_network_ends_at(files):
    folder, d, _ = files
    (folder / "said.toml").write_text('[critic]\noutput = "probability"\n')
    critic = Critic.from_checkpoint(folder / "netD.pth", spec=folder / "said.toml")
    logits = d(IMAGES).flatten()
    assert torch.allclose(critic(IMAGES), logits, atol=1e-5)
    assert critic.about.spec.critic.output == "logit"
    assert any("probability was said" in line for line in critic.about.lines)
    assert "critic.output" not in critic.about.unknown
    two = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.LeakyReLU(0.2), nn.Linear(8, 2))
    torch.save(two.state_dict(), folder / "two.pth")
    (folder / "two.toml").write_text('[critic]\noutput = "class_probabilities"\nreal_class = 1\n')
    both = Critic.from_checkpoint(folder / "two.pth", spec=folder / "two.toml")
    grey = torch.rand(3, 1, 28, 28) * 2 - 1
    assert torch.allclose(both(grey).sigmoid(), two(grey).softmax(1)[:, 1], atol=1e-5)


class Conditional(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(4, 5), nn.Linear(9, 1)

    def forward(self, x, labels):
        return self.out(torch.cat([x.flatten(1), self.emb(labels)], 1))


def test_a_class_is_fixed():
    network, x = Conditional(), torch.randn(3, 1, 2, 2)
    fixed = Conditioned(network, 2)
    assert torch.equal(fixed(x), network(x, torch.tensor([2, 2, 2])))
    assert not torch.equal(fixed(x), network(x, torch.tensor([2, 1, 2])))


def test_a_conditional_generator_draws_the_class_that_it_is_told():
    class Draws(nn.Module):
        def forward(self, z, labels):
            return (z[:, :1, None, None] * 0 + labels.view(-1, 1, 1, 1) / 10).expand(-1, 1, 4, 4)

    made = Generator.wrap(Draws(), z_dim=2, num_classes=5)
    codes = made.sample(2)
    with pytest.raises(ValueError, match=r"given\(0\) to given\(4\)"):
        made.synthesize(codes)
    assert made.given(3).synthesize(codes)[:, 0, 0, 0].tolist() == pytest.approx([0.3, 0.3])
    assert made.synthesize(codes, labels=torch.tensor([1, 4]))[:, 0, 0, 0].tolist() == pytest.approx([0.1, 0.4])
    assert made.label is None
    for wrong in (torch.tensor([1, 5]), torch.tensor([0.0, 1.0]), torch.tensor([1])):
        with pytest.raises(ValueError, match="whole numbers from 0 to 4"):
            made.synthesize(codes, labels=wrong)
    with pytest.raises(ValueError, match="label must be 0 to 4, got 5"):
        made.given(5)
    plain = Generator.wrap(nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (1, 2, 2))), z_dim=2)
    with pytest.raises(ValueError, match="this generator knows no classes"):
        plain.synthesize(codes, labels=torch.tensor([0, 0]))
    with pytest.raises(TypeError, match="has no argument 'code_shap'"):
        Generator.wrap(nn.Identity(), z_dim=2, code_shap=(2,))


def test_the_first_layer_leaves_the_label_out():
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.first = nn.Embedding(3, 4), nn.Linear(6, 8)
            self.last = nn.Linear(8, 9)

        def forward(self, z, labels):
            x = torch.relu(self.first(torch.cat([self.emb(labels), 2 * z], 1)))
            return torch.tanh(self.last(x)).view(-1, 1, 3, 3)

    network = Joined()
    layer = Generator.wrap(network, z_dim=2, num_classes=3).given(1).first_layer()
    assert layer.name == "network.first"
    assert torch.allclose(layer.weight, 2 * network.first.weight[:, 4:], atol=1e-5)

    class Bent(Joined):
        def forward(self, z, labels):
            return super().forward(z**2, labels)

    with pytest.raises(ValueError, match="does not read a code of 2 numbers directly"):
        Generator.wrap(Bent(), z_dim=2, num_classes=3).given(1).first_layer()


def told(capsys, *arguments):
    """Exit code, stdout and stderr of the command line."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    shown = capsys.readouterr()
    return stop.value.code or 0, shown.out, shown.err


def test_inspect_says_what_is_in_a_file_and_writes_a_spec(files, capsys):
    folder, d, _ = files
    code, out, _ = told(capsys, "inspect", folder / "both.pt")
    assert code == 0
    assert "both.pt: torch, 2 networks" in out
    assert "layout dcgan, a generator" in out
    assert "layout dcgan, a discriminator" in out
    code, out, _ = told(capsys, "inspect", folder / "netD.pth", "--json", "--write", folder / "my.toml")
    assert json.loads(out)["networks"][0]["layout"] == "dcgan"
    critic = Critic.from_checkpoint(folder / "netD.pth", spec=folder / "my.toml")
    assert torch.allclose(critic(IMAGES), d(IMAGES).flatten(), atol=1e-5)
    assert told(capsys, "inspect", folder / "netD.pth", "--write", folder / "my.toml")[0] == 2
    torch.save({"strange": torch.zeros(3, 3, 3)}, folder / "odd.pt")
    code, out, _ = told(capsys, "inspect", folder / "odd.pt")
    assert code == 2
    assert "no layout knows this network: it holds strange (3, 3, 3)" in out
    (folder / "no.pt").write_bytes(io.BytesIO(b"hello").getvalue())
    assert told(capsys, "inspect", folder / "no.pt")[0] == 2


def test_words_about_a_file_need_a_file(files, capsys):
    code, _, err = told(capsys, "doctor", "bundled:fashion", "--layout", "dcgan")
    assert code == 2
    assert "say what a file of weights does not" in err
    code, _, err = told(capsys, "explain", files[0] / "netD.pth", "x.png", "--layout", "dcgn", "--out", files[0] / "o")
    assert code == 2
    assert "did you mean 'dcgan'" in err


def test_images_of_a_generator_are_written(files, capsys):
    folder, _, g = files
    code, _, err = told(capsys, "sample", folder / "netG.pth", "--n", "3", "--out", folder / "new")
    assert (code, len(list((folder / "new").glob("*.png")))) == (0, 3)
    assert "3 images are written" in err
    code, _, err = told(capsys, "sample", folder / "netG.pth", "--out", folder / "new")
    assert code == 2
    assert "holds files already" in err
    assert told(capsys, "sample", folder / "netD.pth", "--out", folder / "other")[0] == 2


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_program_says_that_it_shows_no_layers(files):
    folder, _, g = files
    torch.jit.save(torch.jit.trace(g, torch.randn(2, 10, 1, 1)), folder / "g.ts")
    with pytest.raises(ValueError, match="does not show its layers; take .* --method jacobian"):
        Generator.from_checkpoint(folder / "g.ts").first_layer()


def test_a_critic_of_a_file_judges_for_any_class(tmp_path):
    network = trained(_conditionals.Vector())
    torch.save(network.state_dict(), tmp_path / "netD.pth")
    critic, x = Critic.from_checkpoint(tmp_path / "netD.pth", label=3), torch.rand(2, 1, 28, 28)
    assert (critic.num_classes, critic.label) == (10, 3)
    for label in (0, 7):
        other = critic.given(label)
        torch.testing.assert_close(other(x), network(x, torch.full((2,), label)).reshape(-1))
        assert other.about.spec.label == label
    assert critic.about.spec.label == 3
    with pytest.raises(ValueError, match=r"label=0 to 9 \(--label\)"):
        Critic.from_checkpoint(tmp_path / "netD.pth")
