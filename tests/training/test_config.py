"""Configs: presets, overrides, and errors that name the nearest key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganexplain.training import config as configs


@pytest.mark.parametrize("name", configs.presets())
def test_every_preset_says_what_it_is_for_and_survives_the_round_trip(name: str) -> None:
    config = configs.load(name)
    assert len(config.about) > 20
    assert configs.from_dict(config.as_dict()) == config


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "empty.toml"
    file.write_text("")
    assert configs.load(file) == configs.Config()


def test_overrides_reach_every_kind_of_value() -> None:
    changes = ["loss.gamma=2", "loss.name=bce", 'loss.penalties=["r1"]', "run.flip=true", "optim.betas=[0, 0.9]"]
    config = configs.load("dcgan", [*changes, "model.width=8", "run.seed = 3"])
    assert (config.loss.gamma, config.loss.name, config.loss.penalties) == (2.0, "bce", ("r1",))
    assert config.run.flip
    assert config.run.seed == 3
    assert config.optim.betas == (0.0, 0.9)
    assert all(isinstance(beta, float) for beta in config.optim.betas)  # torch refuses the integer 0
    assert config.options["width"] == 8


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[los]\ngamma=1", ValueError, "did you mean 'loss'"),
        ("[loss]\ngama=1", ValueError, "did you mean 'gamma'"),
        ("[loss]\ngamma='high'", TypeError, "loss.gamma must be a number"),
        ("[loss]\ngamma=true", TypeError, "loss.gamma"),
        ("[loss]\ngamma=-1", ValueError, "at least 0"),
        ("[loss]\nname='hinges'", ValueError, "did you mean 'hinge'"),
        ("[loss]\npenalties=['r3']", ValueError, "unknown penalty"),
        ("[run]\nsteps=0", ValueError, "run.steps must be at least 1"),
        ("[run]\nsteps=1.5", TypeError, "run.steps"),
        ("[run]\nflip=1", TypeError, "run.flip"),
        ("[optim]\nlr=0", ValueError, "optim.lr must be positive"),
        ("[optim]\nbetas=[0.5]", ValueError, "two numbers"),
        ("[optim]\nbetas=['a', 'b']", TypeError, "optim.betas"),
        ("[optim]\ndecay_from=2", ValueError, "must lie in"),
        ("[optim]\nbeta2_to=1", ValueError, "beta2_to"),
        ("[optim]\nn_critic=0", ValueError, "optim.n_critic must be at least 1"),
        ("[run]\naugment='color'", TypeError, "run.augment must be a list of words in quotes"),
        ("[run]\naugment=['colour']", ValueError, "did you mean 'color'"),
        ("[run]\nprecision='float16'", ValueError, "did you mean 'bfloat16'"),
        ("[watch]\nfakes=3", ValueError, "watch.fakes must be at least 100"),
        ("[model]\nfamily='dcgan'\nconditional=1", TypeError, "model.conditional must be true or false"),
        ("[model]\nwidth=3", ValueError, "must name its family"),
        ("model = 3", TypeError, r"\[model\] must be a table"),
        ("loss = 3", TypeError, r"\[loss\] must be a table"),
        ("[loss", ValueError, "not valid TOML"),
    ],
)
def test_errors(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(error, match=message):
        configs.load(file)


def test_what_changed_is_told_field_by_field() -> None:
    one = configs.load("dcgan", ["loss.gamma=2"])
    other = configs.load("dcgan", ["loss.gamma=3", 'run.augment=["color"]', "model.norm=batch"])
    assert one.changed(one) == {}
    assert one.changed(other) == {
        "loss.gamma": (2.0, 3.0),
        "run.augment": ([], ["color"]),
        "model.norm": (None, "batch"),
    }


def test_errors_of_names_and_overrides(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'dcgan'"):
        configs.load("dcgam")
    with pytest.raises(FileNotFoundError, match="no config file"):
        configs.load(tmp_path / "absent.toml")
    for bad in ("gamma=2", "loss.gamma", "loss.=2"):
        with pytest.raises(ValueError, match=r"section\.key=value"):
            configs.load("dcgan", [bad])
    with pytest.raises(ValueError, match="did you mean 'gamma'"):
        configs.load("dcgan", ["loss.gama=2"])
