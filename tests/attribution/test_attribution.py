"""What a method hands over: shares, tops, rows, files."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganexplain import Attribution, Calibration, Critic, IntegratedGradients, KernelShap, Lime, Region, Saliency
from ganexplain.models.verdict import Verdict
from ganexplain.store import save_tensors
from tests._critics import critic, images

QUARTERS = torch.arange(8)[:, None] // 4 * 2 + torch.arange(8)[None] // 4


def parts(*totals: float, **given: object) -> Attribution:
    """An attribution whose four quarters have these totals."""
    values = torch.tensor(totals)[QUARTERS][None, None] / 16
    x = torch.zeros(1, 1, 8, 8)
    known = {
        "values": values,
        "players": QUARTERS[None, None],
        "images": x,
        "origins": x - 1,
        "verdict": Verdict(torch.tensor([-2.0]), 0.0, None, None),
        "origin_logit": torch.tensor([1.0]),
        "side": "fake",
        "method": "by_hand",
        "domain": "region",
        "baseline": "black",
        "params": {},
        "unit": "logit",
        "evaluations": torch.tensor([1]),
    }
    return Attribution(**{**known, **given})


def same(a: Attribution, b: Attribution) -> None:
    for f in fields(Attribution):
        one, two = getattr(a, f.name), getattr(b, f.name)
        if isinstance(one, Tensor):
            assert torch.equal(one, two), f.name
            assert one.dtype == two.dtype, f.name
        elif isinstance(one, Verdict):
            assert torch.equal(one.logit, two.logit)
            assert (one.threshold, one.auc) == (two.threshold, two.auc)
            assert (one.probability is None) == (two.probability is None)
            assert one.probability is None or torch.equal(one.probability, two.probability)
        else:
            assert one == two, f.name


def made(kind: type) -> Attribution:
    on = critic("plain").with_calibration(Calibration(0.2, 1.5, 0.9))
    return kind(on, domain=Region(n_segments=14), baseline="black").attribute(images(3), side="fake", seed=5)


@pytest.mark.parametrize("kind", [KernelShap, IntegratedGradients, Lime, Saliency])
def test_files_keep_everything(kind: type, tmp_path: Path) -> None:
    found = made(kind)
    same(found, Attribution.load(found.save(tmp_path / "a.safetensors")))
    bare = replace(found, players=None, verdict=Verdict(found.verdict.logit, 0.0, None, None), notes=("one", "two"))
    same(bare, Attribution.load(bare.save(tmp_path / "b.safetensors")))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        Attribution.load(tmp_path / "none.safetensors")
    other = save_tensors(tmp_path / "x.safetensors", {"a": torch.ones(1)}, {"kind": "directions"})
    with pytest.raises(ValueError, match="holds no attribution"):
        Attribution.load(other)


@pytest.mark.parametrize("kind", [KernelShap, IntegratedGradients])
def test_one_row_is_what_that_image_gives(kind: type) -> None:
    found = made(kind)
    rows = list(found)
    assert len(rows) == len(found) == 3
    for i, row in enumerate(rows):
        assert torch.equal(row.values, found.values[i : i + 1])
        assert torch.equal(row.change, found.change[i : i + 1])
        assert torch.equal(row.gap, found.gap[i : i + 1])
        assert torch.equal(row.verdict.probability, found.verdict.probability[i : i + 1])
        assert [c.value for c in row.top()] == [c.value for c in found.top(row=i)]
    same(found[-1], rows[2])
    with pytest.raises(IndexError):
        found[3]


def test_one_shared_map_of_players_stays_with_every_row() -> None:
    found = KernelShap(critic("plain"), domain=Region(QUARTERS), baseline="black").attribute(images(3))
    assert torch.equal(found[2].totals(), found.totals()[2:])


def test_sums() -> None:
    found = parts(3.0, -1.0, 0.0, 0.5)
    assert found.totals().tolist() == [[3.0, -1.0, 0.0, 0.5]]
    assert float(found.net) == 2.5
    assert float(found.gross) == 4.5
    assert float(found.concentration) == pytest.approx(2.5 / 4.5)
    assert float(found.change) == 3.0  # for fake: from logit 1 to -2
    assert torch.equal(found.heatmap(), found.values[:, 0])
    halves = (QUARTERS // 2)[None, None]
    assert found.totals(halves).tolist() == [[2.0, 0.5]]
    assert float(replace(found, players=None).gross) == pytest.approx(4.5)


def test_the_top_is_sorted_by_size_with_shares_of_the_net() -> None:
    found = parts(3.0, -1.0, 0.0, 0.5, error=torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    top = found.top(4)
    assert [c.player for c in top] == [0, 1, 3]  # a zero is no contribution
    assert [c.value for c in top] == [3.0, -1.0, 0.5]
    assert [c.share for c in top] == pytest.approx([1.2, -0.4, 0.2])
    assert [c.error for c in top] == pytest.approx([0.1, 0.2, 0.4])
    assert len(found.top(1)) == 1
    with pytest.raises(ValueError, match="k must be positive"):
        found.top(0)


@pytest.mark.parametrize(("totals", "shares"), [((1.0, -0.9, 0.2, -0.1), False), ((1.0, -0.8, 0.2, -0.1), True)])
def test_shares_are_given_only_where_the_parts_do_not_cancel(totals: tuple[float, ...], shares: bool) -> None:
    found = parts(*totals)  # net / gross is .09 and .14
    assert all((c.share is not None) == shares for c in found.top())
    assert all(c.error is None for c in found.top())


def test_what_a_domain_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match="the domain 'region' has no players; give labels of the shape"):
        replace(parts(1.0, 2.0, 3.0, 4.0), players=None).totals()
    with pytest.raises(ValueError, match="has no map of pixels"):
        replace(parts(1.0, 2.0, 3.0, 4.0), values=torch.ones(1, 5)).heatmap()


def test_the_text_says_what_it_is() -> None:
    assert repr(parts(3.0, -1.0, 0.0, 0.5)) == (
        "Attribution(by_hand in region, (1, 1, 8, 8), for 'fake', from black, net 2.5 of gross 4.5 logit)"
    )


def test_an_uncalibrated_score_has_its_own_unit() -> None:
    on = Critic(critic("plain").network, output="score")
    found = KernelShap(on, baseline="black").attribute(images(1))
    assert found.unit == "score"
    assert found.verdict.probability is None
    known = on.with_calibration(Calibration(0.0, 1.0, 0.9))
    assert KernelShap(known, baseline="black").attribute(images(1)).unit == "logit"
