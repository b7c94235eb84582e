"""``ganexplain directions`` from a saved GAN to the files on disk."""

from __future__ import annotations

import json
import re
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from ganexplain import GAN, Boundary, Directions, SeFa
from ganexplain.latent.effects import effects, random_directions
from ganexplain.latent.finders import FINDERS
from tests.cli.conftest import Run


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "directions")


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
    assert (document["schema"], document["kind"], document["seed"]) == (2, "directions", 5)
    assert document["measure"] == "eigenvalue"
    assert [row["strength"] for row in document["directions"]] == document["spectrum"]["eigenvalues"][:3]
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
        ((model, "--set", "normalise=rows"), "unknown setting of SeFa 'normalise'; did you mean 'normalize'?"),
        ((model, "--set", "normalize"), "--set must read name=value, such as normalize=..."),
        ((model, "--set", "n_directions=3"), "n_directions has an option of its own"),
        ((model, "--set", "normalize=rows", "--normalize", "none"), "names normalize twice"),
        ((model, "--method", "random", "--set", "x=1"), "unknown setting 'x' of Random, which has none"),
        ((model, "--method", "ganspace", "--set", "n_samples=many"), "GanSpace's n_samples must be a whole number"),
        ((model, "--set", "ganspace.n_samples=100"), "unknown finder of this run 'ganspace'"),
        ((model, "--compare", "sefa,ganspce"), "did you mean 'ganspace'"),
        ((model, "--attribute", "brightness"), "looks for no --attribute; use --method boundary"),
        ((model, "--method", "boundary", "--attribute", "brightnes"), "did you mean 'brightness'"),
        ((model, "--method", "boundary", "--attribute", "redness"), "need colour"),
        ((model, "--method", "boundary", "--attribute", tmp_path / "none.csv"), "no file"),
        ((model, "--method", "boundary", "--set", "how=rige"), "did you mean 'ridge'"),
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


FINDERS_HERE = {"ganspace": ["n_samples=64"], "jacobian": ["n_samples=8"], "boundary": ["n_codes=64"]}


@pytest.mark.parametrize("name", FINDERS.names())
def test_every_finder_says_its_own_strength(run: Run, model: Path, tmp_path: Path, name: str) -> None:
    more = [part for text in FINDERS_HERE.get(name, []) for part in ("--set", text)]
    out = tmp_path / "out"
    code, shown, said = run(model, "--method", name, *more, "--n", 2, "--codes", 4, "--out", out)
    assert code == 0, said
    document, finder = json.loads((out / "directions.json").read_text()), FINDERS.get(name)
    page = Page((out / "directions.html").read_text())
    saved = Directions.load(out / "directions.safetensors")
    assert document["measure"] == finder.measure
    if saved.strength is None:
        assert {row["strength"] for row in document["directions"]} == {None}
    else:
        assert [row["strength"] for row in document["directions"]] == pytest.approx(saved.strength.tolist(), rel=1e-5)
        assert finder.measure in shown
        assert finder.measure in page.text
    for key, heading in finder.columns.items():
        if any(v is not None for v in saved.params.get(key) or []):
            assert [row["figures"][heading] for row in document["directions"]] == saved.params[key]
            assert heading in page.text
    if finder.measure != "eigenvalue":
        assert "eigenvalue" not in page.text + shown
    assert (document["spectrum"] is not None) == (name == "sefa")


def test_the_first_sentence_is_about_the_logit(run: Run, model: Path, tmp_path: Path) -> None:
    code, shown, _ = run(model, "--n", 3, "--codes", 10, "--out", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "directions.json").read_text())
    assert code == 0
    assert shown.splitlines()[0] == document["headline"]
    moved = max(document["directions"], key=lambda row: abs(row["effect"]["mean"]))
    assert moved["name"] in document["headline"]
    assert moved["effect"]["text"] in document["headline"]
    chance = document["effects"]["random_control"]["mean_size_95"]
    assert f"95 % of 16 random directions move it by less than {chance:.2g}" in document["headline"]
    text = Page((tmp_path / "out" / "directions.html").read_text()).text
    assert text.index(document["headline"]) < text.index("3 directions in z by sefa")


def test_finders_side_by_side(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ("--compare", "sefa,random,ganspace", "--set", "ganspace.n_samples=48", "--set", "normalize=rows")
    code, shown, said = run(model, *given, "--n", 2, "--codes", 4, "--out", out)
    assert code == 0, said
    document = json.loads((out / "directions.json").read_text())
    beside = document["comparison"]
    assert beside["sets"] == ["sefa", "random", "ganspace"]
    assert [row["measure"] for row in beside["directions"]] == [
        *["eigenvalue"] * 2,
        *["strength"] * 2,
        *["variance"] * 2,
    ]
    assert {p.name for p in out.glob("*.safetensors")} == {
        "directions.safetensors",
        "random.safetensors",
        "ganspace.safetensors",
    }
    assert Directions.load(out / "directions.safetensors").params["normalize"] == "rows"
    assert Directions.load(out / "ganspace.safetensors").params["n_samples"] == 48
    page = (out / "directions.html").read_text()
    assert page.count("<img") == 2 + 2 + 1
    assert page.index("The finders side by side") < page.index("All directions on one code")
    assert "sefa: direction 0" in shown
    assert document["headline"] == shown.splitlines()[0]
    assert re.search(r"direction \d of (sefa|random|ganspace)", document["headline"])
    assert run(model, *given, "--n", 2, "--codes", 4, "--out", out, "--overwrite", "--quiet")[0] == 0


def test_a_boundary_for_the_logit_and_for_labels_of_ones_own(run: Run, model: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("index,smile\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    small = ("--set", "n_codes=64", "--codes", 4, "--quiet")
    given = ("--method", "boundary", "--attribute", "logit", "--attribute", table, "--set", "how=svm")
    assert run(model, *given, *small, "--out", tmp_path / "a")[0] == 0
    document = json.loads((tmp_path / "a" / "directions.json").read_text())
    assert [row["name"] for row in document["directions"]] == ["logit", "smile"]
    gan = GAN.load(model)
    expected = Boundary(gan.critic("discriminator"), how="svm", n_codes=64).fit(gan.generator).directions_
    saved = Directions.load(tmp_path / "a" / "directions.safetensors")
    assert torch.equal(saved.vectors[:1], expected.vectors)
    free = ("--method", "boundary", "--attribute", "brightness", "--set", "conditions=contrast,size")
    assert run(model, *free, *small, "--out", tmp_path / "b")[0] == 0
    document = json.loads((tmp_path / "b" / "directions.json").read_text())
    assert document["settings"]["without"] == "contrast, size"
    assert "length left" in document["directions"][0]["figures"]
    bare = factory(tmp_path, UNIFORM)
    code, _, said = run(bare, *given[:4], *small, "--out", tmp_path / "c")
    assert (code, said.count("\n")) == (2, 1)
    assert "name one with --critic" in said


def test_selective_directions_on_the_command_line(run: Run, model: Path, tmp_path: Path) -> None:
    given = ("--method", "boundary", "--n", 3, "--set", "n_codes=64", "--codes", 4, "--quiet")
    assert run(model, *given, "--out", tmp_path / "raw")[0] == 0
    assert run(model, *given, "--selective", "--out", tmp_path / "alone")[0] == 0
    raw, alone = (Directions.load(tmp_path / name / "directions.safetensors") for name in ("raw", "alone"))
    product = alone.vectors @ raw.vectors.T
    assert float((product - product.diag().diag()).abs().max()) < 1e-6
    assert alone.strength is None
