"""Every fault of the published recipe: the claim holds when it is run, and the page says what the run gave."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch

from benchmarks import readme, seed_recipe
from benchmarks._recipe.fault import Compared
from tests.test_readme import broken_links

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "seed-recipe.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"
NOT_RUN = (14, 15)


def compared(number: int) -> Compared:
    found = seed_recipe.FAULTS[number].compared()
    assert found is not None
    return found


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_01_a_sigmoid_takes_the_slope_that_least_squares_has() -> None:
    found = compared(1)
    p = sigmoid(-8)
    assert found.published == pytest.approx((1 - p) * p * (1 - p), rel=1e-4)  # d/dx of (p(x) - 1)^2 / 2
    assert found.repaired == pytest.approx(8 + 1)
    assert found.also["cross-entropy"] == pytest.approx(sigmoid(8))


def test_02_minimising_its_success_makes_fakes_worse() -> None:
    found = compared(2)
    assert found.published < 0 < found.repaired


def test_03_the_network_of_the_text_is_not_the_network_of_the_code() -> None:
    found = compared(3)
    assert (found.published, found.repaired, found.also["dropout layers of the generator"]) == (2, 0, 0)


def test_04_sigmoids_let_a_thousandth_of_the_slope_through() -> None:
    found = compared(4)
    assert found.published < 0.01 * found.repaired
    assert found.also["tanh"] > 0.1  # the text's other choice would have done


def test_05_neither_descent_nor_clipping_ends_the_game_and_r1_does() -> None:
    found = compared(5)
    assert found.repaired < 1e-6
    assert min(found.published, found.also["descent without clipping"]) > 0.3


def test_06_fresh_heads_have_unrelated_explanations() -> None:
    found = compared(6)
    assert abs(found.published) < 0.5
    assert found.repaired == pytest.approx(1, abs=1e-5)


def test_07_most_pixels_leave_the_range_of_the_data() -> None:
    found = compared(7)
    assert found.published > 0.5
    assert found.repaired == 0


def test_08_images_without_channels_are_not_read() -> None:
    found = compared(8)
    assert (found.published, found.repaired) == (0, 8)
    with pytest.raises(RuntimeError, match="channels"):
        torch.nn.Conv2d(1, 4, 5)(torch.zeros(8, 28, 28))


def test_09_two_heads_are_two_functions() -> None:
    found = compared(9)
    assert found.published > 0.1
    assert found.repaired == 0
    assert list(found.also.values()) == [1, 8]


def test_10_dropout_follows_the_flag_only_where_it_is_passed() -> None:
    found = compared(10)
    assert found.published == found.also["dropped in evaluation"] == 0
    assert found.repaired == pytest.approx(0.3, abs=0.01)


def test_11_layers_made_in_the_call_answer_differently_each_time() -> None:
    found = compared(11)
    assert found.published > 0
    assert found.repaired == 0


@pytest.mark.parametrize("number", [12, 13])
def test_12_13_no_weight_is_reached(number: int) -> None:
    found = compared(number)
    assert (found.published, found.repaired) == (0, 2 * 4 + 2 * 3)  # weights and biases of 4 and 3 layers


@pytest.mark.parametrize("number", NOT_RUN)
def test_14_15_names_of_tensorflow_are_not_run(number: int) -> None:
    assert seed_recipe.FAULTS[number].compared() is None
    assert "TensorFlow" in seed_recipe.FAULTS[number].measure


def test_16_the_loss_of_the_discriminator_reaches_the_generator() -> None:
    found = compared(16)
    assert found.published > 0
    assert found.repaired == 0


def test_17_a_missing_half_doubles_the_gradient_and_adam_does_not_care() -> None:
    found = compared(17)
    assert found.published == pytest.approx(2, rel=1e-5)
    assert found.also["Adam's ten steps differ by"] < 1e-3


def test_18_one_latent_size_of_three_works() -> None:
    found = compared(18)
    assert (found.published, found.repaired) == (1, 3)


def test_19_batches_in_order_hold_one_class() -> None:
    found = compared(19)
    assert found.published == pytest.approx((78 + 9) / 78)  # 78 full batches, 9 of which span two classes
    assert found.repaired > 9.9
    assert list(found.also.values()) == [5000 - 78 * 64, 0]


def test_20_doubles_take_eight_bytes_a_pixel_and_are_not_read() -> None:
    found = compared(20)
    assert (found.published, found.repaired) == (8 * 784, 784)
    assert list(found.also.values()) == [0, 4]


def test_21_without_a_seed_no_run_is_repeated() -> None:
    found = compared(21)
    assert found.published > 0
    assert found.repaired == 0


def test_22_the_default_momentum_keeps_the_game_from_its_end() -> None:
    found = compared(22)
    assert found.published > 0.5
    assert found.repaired < 1e-3


def test_23_an_explanation_gives_every_pixel_its_share() -> None:
    found = compared(23)
    assert (found.published, found.repaired) == (0, 784)
    assert found.also["gap"] < 0.05


def test_24_both_players_minimise_one_function() -> None:
    found = compared(24)
    assert (found.published, found.repaired) == (1, 0)
    # sum (1 - p_k)^2 - sum p_k^2 = 8 - 2 sum p_k = 6 for a softmax over 8, and 6 / 8 in the mean
    assert found.also["generator's loss less the discriminator's on fakes"] == pytest.approx(0.75, abs=1e-12)


def test_a_run_is_repeatable_and_leaves_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    first = compared(11)
    torch.manual_seed(3)
    assert compared(11) == first
    torch.set_rng_state(before)


def test_the_results_are_those_of_a_run_today() -> None:
    rows = {row["fault"]: row for row in json.loads((RESULTS / "seed_recipe.json").read_text("utf-8"))["rows"]}
    assert [int(name.split()[0]) for name in rows] == list(range(1, 25))
    for number, fault in seed_recipe.FAULTS.items():
        row, found = rows[f"{number} {fault.name}"], fault.compared()
        assert row["what is measured"] == fault.measure
        if found is not None:
            assert row["published"] == pytest.approx(found.published, rel=0.05, abs=1e-6)
            assert row["repaired"] == pytest.approx(found.repaired, rel=0.05, abs=1e-6)


def test_the_page_has_every_fault_and_the_tables_are_the_results() -> None:
    assert readme.differences(PAGE, RESULTS) == []
    assert readme.updated(PAGE, RESULTS) == PAGE
    assert [int(n) for n in re.findall(r"^\*\*(\d+)\.", PAGE, re.MULTILINE)] == list(range(1, 25))
    assert broken_links(PAGE, ROOT / "docs") == []
