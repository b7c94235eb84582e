"""The end of a run: what the file holds, where its reals come from, what the folder shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ganexplain
from ganexplain import store, tensors
from ganexplain.models.gan import GAN
from ganexplain.training import config as configs
from ganexplain.training.export import balanced, finish, save
from ganexplain.training.judge import train_judge
from ganexplain.training.loop import train
from ganexplain.training.record import Recorder


def finished(run: Any) -> GAN:
    short = replace(run.config, judge=replace(run.config.judge, steps=5))
    list(train_judge(run.gan, run.images, short))
    return finish(run.gan, run.data, run.split, short, steps=120, quality={"fd": 1.0})


def test_a_saved_run_comes_back_whole(run: Any, tmp_path: Path) -> None:
    gan = finished(run)
    again = GAN.load(save(gan, tmp_path))
    assert again.fingerprint == gan.fingerprint
    assert again.card == gan.card
    assert again.calibrations == gan.calibrations
    assert torch.equal(again.reals, gan.reals)
    assert torch.equal(again.samples(3), gan.samples(3))
    for name in ("judge", "discriminator"):
        mine, theirs = (g.critic(name).judge(g.samples(4)) for g in (gan, again))
        assert torch.equal(mine.logit, theirs.logit)
        assert mine.auc == theirs.auc


def test_the_card_says_how_it_was_made(run: Any) -> None:
    card = finished(run).card
    assert configs.from_dict(card["config"]).run == run.config.run
    assert card["data"]["fingerprint"] == run.data.fingerprint
    assert card["data"]["split"] == run.split.record()
    assert (card["steps"], card["images_seen"]) == (120, 120 * 32)
    assert card["versions"]["ganexplain"] == ganexplain.__version__
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_the_reals_it_carries_trained_and_calibrated_nothing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganexplain.training import export

    seen: list[torch.Tensor] = []
    original = export.calibrate
    monkeypatch.setattr(export, "calibrate", lambda gan, held, **k: seen.append(held) or original(gan, held, **k))
    gan = finished(run)
    rows = torch.tensor(gan.card["reals"]["rows"])
    assert set(rows.tolist()) <= set(run.split.held_out.tolist())
    assert torch.equal(gan.reals, run.data.images[rows])
    others = [r for r in run.split.held_out.tolist() if r not in set(rows.tolist())]
    assert torch.equal(seen[0], run.data.images[torch.tensor(others)])


def test_a_conditional_one_takes_classes_shares_and_labels_along(run: Any, tmp_path: Path) -> None:
    gan = GAN.build("sngan", resolution=8, channels=1, z_dim=4, width=4, num_classes=10)
    labels = run.data.labels[run.split.train]
    short = replace(run.config, judge=replace(run.config.judge, steps=2), run=replace(run.config.run, steps=2, batch=8))
    list(train(gan, run.images, short, labels=labels))
    list(train_judge(gan, run.images, short, labels=labels))
    finish(gan, run.data, run.split, short, steps=2, quality={})
    again = GAN.load(save(gan, tmp_path))
    assert again.class_names == tuple(run.data.class_names)
    counts = torch.bincount(labels, minlength=10).double()
    assert again.class_shares == pytest.approx((counts / counts.sum()).tolist())
    rows = torch.tensor(again.card["reals"]["rows"])
    assert torch.equal(again.real_labels, run.data.labels[rows])
    assert all(found.pooled for found in again.calibrations.values())
    critic = again.critic("judge", 7)
    assert torch.equal(critic.reference.images, tensors.from_uint8(run.data.images[rows[run.data.labels[rows] == 7]]))
    assert critic.logits(again.samples(3)).shape == (3,)
    bare = replace(run.data, labels=None)
    with pytest.raises(ValueError, match="is conditional and needs the classes"):
        finish(gan, bare, run.split, short, steps=2, quality={})


def test_a_judge_that_changes_when_it_judges_is_not_exported(run: Any) -> None:
    class Restless(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(64, 1)
            self.register_buffer("passes", torch.zeros(()))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.passes += 1
            return self.linear(images.flatten(1)).flatten()  # type: ignore[no-any-return]

    run.gan.judge = Restless()
    with pytest.raises(ValueError, match="the judge changes its buffer 'passes' whenever it is used"):
        finish(run.gan, run.data, run.split, run.config, steps=1, quality={})


def test_balanced_takes_every_class_in_turn() -> None:
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    rows = torch.tensor([3, 0, 6, 5, 1, 4, 2])
    assert labels[balanced(rows, labels, 3)].tolist() == [0, 1, 2]
    assert labels[balanced(rows, labels, 5)].tolist() == [0, 1, 2, 0, 1]
    assert labels[balanced(rows, labels, 7)].tolist() == [0, 1, 2, 0, 1, 0, 0]  # as evenly as there are members
    assert balanced(rows, labels, 1).tolist() == [3]  # the first of its class, in the order given
    assert balanced(rows, None, 2).tolist() == [3, 0]


def test_too_few_held_out_images_are_refused(run: Any) -> None:
    few = replace(run.split, held_out=run.split.held_out[:59])
    with pytest.raises(ValueError, match="at least 60 held-out images"):
        finish(run.gan, run.data, few, run.config, steps=1, quality={})


def test_metrics_are_means_over_their_steps_and_sheets_come_at_intervals(run: Any, tmp_path: Path) -> None:
    config = replace(run.config, run=replace(run.config.run, steps=7))
    recorder, steps = Recorder(tmp_path, every=3, sheets=4, n=6), []
    for step in train(run.gan, run.images, config):
        steps.append(step)
        recorder.add(step, run.gan)
    recorder.flush()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 3, 6, 7]
    assert lines[2]["loss_d"] == pytest.approx(sum(s.loss_d for s in steps[3:6]) / 3)
    assert [p.name for p in tmp_path.glob("*.png")] == ["samples-000004.png"]
    skipped = replace(steps[-1], loss_d=float("nan"), loss_g=float("nan"), r1=None, r2=None, accuracy=float("nan"))
    recorder.add(replace(skipped, step=8), run.gan)
    recorder.flush()
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["loss_d"] is None  # JSON has no NaN


def test_a_failed_save_keeps_the_old_file(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gan = finished(run)
    path = save(gan, tmp_path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(store.os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        save(gan, tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
