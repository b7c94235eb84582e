"""``ganexplain directions`` from a saved GAN to the files on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from ganexplain import GAN, Directions, SeFa
from ganexplain.cli import main as cli
from ganexplain.latent.effects import effects, random_directions

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main(["directions", *map(str, arguments)])
        shown = capsys.readouterr()
        return int(stop.value.code or 0), shown.out, shown.err

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    gan = GAN.build("dcgan", seed=3, resolution=8, z_dim=6, width=4)
    with torch.no_grad():  # one axis that stands out
        gan.generator.start.weight[:, 2] += 2.0 * gan.generator.start.weight.new_ones(len(gan.generator.start.weight))
    gan.generator.eval().requires_grad_(False)
    return gan.save(tmp_path / "tiny.safetensors")


def test_from_a_saved_gan_to_files(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    code, shown, said = run(model, "--n", 3, "--codes", 10, "--seed", 5, "--out", out, "--json", "--quiet")
    assert (code, said) == (0, "")
    document = json.loads(shown)
    assert json.loads((out / "directions.json").read_text()) == document
    pictures = ["overview.png", "eigenvalues.png", *(row["file"] for row in document["directions"])]
    assert {p.name for p in out.iterdir()} == {
        *pictures,
        "directions.json",
        "directions.html",
        "directions.safetensors",
    }
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in pictures)

    gan = GAN.load(model)
    finder = SeFa(n_directions=3).fit(gan.generator)
    saved = Directions.load(out / "directions.safetensors", gan.generator)
    assert torch.equal(saved.vectors, finder.directions_.vectors)
    codes = gan.generator.sample(14, seed=5)[4:]
    control = random_directions(saved, seed=5)
    expected = effects(saved, gan.generator, gan.critic("discriminator"), codes, control=control).table()
    assert [row["effect"] for row in document["directions"]] == expected
    assert [row["stands_out"] for row in document["directions"]] == [True, False, False]
    assert document["spectrum"]["n_standing_out"] == 1
    assert document["spectrum"]["eigenvalues"] == pytest.approx(finder.eigenvalues_.tolist(), rel=1e-5)
    assert (document["schema"], document["kind"], document["seed"]) == (1, "directions", 5)
    assert document["amounts"] == [-3, -2, -1, 0, 1, 2, 3]
    assert document["critic"] == "discriminator"


def test_same_seed_same_files_wherever_they_go(run: Run, model: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(model, "--n", 2, "--codes", 4, "--out", tmp_path / name, "--quiet")[0] == 0
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name
        assert str(tmp_path).encode() not in file.read_bytes(), file.name


class Page(HTMLParser):
    """Tags, image sources and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_runs_nothing(run: Run, model: Path, tmp_path: Path) -> None:
    odd = model.rename(tmp_path / "<script>alert(1)<&.safetensors")
    code, shown, said = run(odd, "--n", 2, "--codes", 4, "--out", tmp_path / "out")
    assert code == 0
    assert "1 of 6 eigenvalues stand out" in shown
    assert re.search(r"direction 0 +eigenvalue [\d.]+ +stands out +score [+−][\d.]+ ± [\d.]+ per sd", shown)
    assert "directions.html" in said
    page = Page((tmp_path / "out" / "directions.html").read_text())
    assert "script" not in page.tags
    assert odd.name in page.text
    assert page.tags.count("img") == len(page.sources) == 2 + 2
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)


def factory(folder: Path, code: str) -> str:
    (folder / "mine.py").write_text(
        f"import torch\nfrom torch import nn\nfrom ganexplain import Critic, Generator\n{code}\n"
    )
    return f"{folder / 'mine.py'}:make"


UNIFORM = """
def make():
    net = nn.Sequential(nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2)), nn.Tanh())
    return Generator.wrap(net, z_dim=4, prior="uniform")

def judge():
    return Critic(lambda x: x.flatten(1).mean(1))
"""


def test_a_bare_generator_has_no_effects_unless_a_critic_is_named(run: Run, tmp_path: Path) -> None:
    model = factory(tmp_path, UNIFORM)
    code, shown, _ = run(model, "--out", tmp_path / "bare", "--json", "--quiet", "--amount", 6)
    document = json.loads(shown)
    assert code == 0
    assert document["effects"] is None
    assert [row["effect"] for row in document["directions"]] == [None] * 4  # a code of 4 numbers has no more
    assert "change of the" not in (tmp_path / "bare" / "directions.html").read_text()
    assert any("beyond [-1, 1], where the generator was never trained" in note for note in document["notes"])
    named = run(model, "--critic", f"{tmp_path / 'mine.py'}:judge", "--out", tmp_path / "named", "--json", "--quiet")
    assert json.loads(named[1])["critic"] == "mine.py:judge"
    assert all(row["effect"] for row in json.loads(named[1])["directions"])


def test_bad_input_is_one_sentence(run: Run, model: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    critic = factory(tmp_path, "def make():\n    return Critic(lambda x: x.mean((1, 2, 3)))")
    cases = [
        ((model, "--out", file), "is a file"),
        ((model, "--out", file / "below"), "is a file"),
        ((model, "--method", "sefaa"), "did you mean 'sefa'"),
        ((model, "--normalize", "row"), "did you mean 'rows'"),
        ((model, "--normalize", "batchnorm"), "no BatchNorm follows"),
        ((model, "--space", "w"), "unknown latent space 'w'"),
        ((model, "--n", 0), "must be positive"),
        ((model, "--amount", -1), "--amount must be positive"),
        ((model, "--codes", 1), "--codes must be at least 2"),
        ((critic,), "makes no images"),
        ((tmp_path / "none.safetensors",), "no file"),
    ]
    for arguments, expected in cases:
        where = () if "--out" in arguments else ("--out", tmp_path / "out")
        code, shown, said = run(*arguments, *where, "--quiet")
        assert (code, shown) == (2, ""), arguments
        assert expected in said, said
        assert said.count("\n") == 1, said
    assert file.read_text() == "mine"
