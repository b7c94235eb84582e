"""Each diagnostic on histories whose answer is known, on histories that lack its input, and under changes of scale."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ganexplain.models import health as shown
from ganexplain.training import losses
from ganexplain.training.config import load
from ganexplain.training.diagnostics import DIAGNOSTICS, Facts, Gauge, Health, History, Reading, examine

PLAN = 10_000
NAMES = [str(i) for i in range(10)]
EVEN = {name: 0.1 for name in NAMES}
Change = Callable[[int], dict[str, Any]]


def nothing(step: int) -> dict[str, Any]:
    return {}


def steps(until: int = PLAN, change: Change = nothing) -> list[dict[str, Any]]:
    """Lines of means of a run that goes well: seven pairs of ten ranked rightly, and the loss that fits."""
    sound = {"loss_d": 0.64, "loss_g": 0.8, "r1": 0.1, "r2": 0.1, "gp": None, "accuracy": 0.7}
    sound |= {"logit_real": 2.0, "logit_fake": 1.5, "grad_d": 0.5, "grad_g": 0.3, "gamma": 1.0}
    plain = {"skipped": 0, "non_finite_in_a_row": 0}
    return [{"kind": "steps", "step": s, **sound, **plain, **change(s)} for s in range(100, until + 1, 100)]


def evaluations(until: int = PLAN, change: Change = nothing) -> list[dict[str, Any]]:
    """Measurements of a run that goes well: FD falls to its floor, everything else stays."""
    lines = []
    for step in range(1000, until + 1, 1000):
        classes = {"shares": EVEN, "present": 10, "of": 10, "kl": 0.01}
        good = {"fd": 1 + 99 * 0.5 ** (step / 1000), "fd_floor": 1.0, "fd_ceiling": 100.0, "recall": 0.6}
        good |= {"diversity": 0.95, "memorisation": 1.0, "n_fakes": 2000, "classes": classes}
        good |= {"logits": {"train": 2.0, "held_out": 1.98, "fake": 1.5}}
        lines.append({"kind": "evaluation", "step": step, **good, **change(step)})
    return lines


def history(*parts: Iterable[dict[str, Any]], loss: str = "relativistic", **facts: Any) -> History:
    lines = sorted((line for part in parts for line in part), key=lambda line: line["step"])
    return History(lines, Facts(**{"steps": PLAN, "loss": loss, "shares": EVEN, **facts}))


def read(name: str, *parts: Iterable[dict[str, Any]], **facts: Any) -> Reading:
    return DIAGNOSTICS.get(name)().read(history(*parts, **facts))


def classes(shares: dict[str, float]) -> dict[str, Any]:
    kl = sum(p * math.log(p / 0.1) for p in shares.values() if p)
    present = sum(p > 0.01 for p in shares.values())
    return {"classes": {"shares": shares, "present": present, "of": 10, "kl": kl}}


def only(*kept: str) -> dict[str, float]:
    return {name: 1 / len(kept) if name in kept else 0.0 for name in NAMES}


def test_the_diagnostics_are_those_that_reports_know() -> None:
    assert set(DIAGNOSTICS.names()) == set(shown.DIAGNOSTICS)
    for name in DIAGNOSTICS.names():
        part = DIAGNOSTICS.get(name)
        assert part.name == name
        assert part.question.endswith("?")


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_a_run_that_goes_well_is_healthy_in_every_game(loss: str) -> None:
    balance = losses.get(loss).balance[0]
    sound = examine(history(steps(change=lambda s: {"loss_d": 0.95 * balance - 0.01}), evaluations(), loss=loss))
    assert {r.name: r.level for r in sound.readings} == {name: "ok" for name in DIAGNOSTICS.names()}
    assert sound.verdict == "HEALTHY"
    assert "9 of 9" in sound.words


def with_skips(total: int, after: int) -> list[dict[str, Any]]:
    return steps(change=lambda s: {"skipped": total if s > after else 0})


# name, lines, level, value or None for any
KNOWN: list[tuple[str, list[list[dict[str, Any]]], str, float | None]] = [
    ("non_finite", [with_skips(1, 9500)], "warn", 1),
    ("non_finite", [with_skips(11, 9500)], "fail", 11),
    ("non_finite", [with_skips(11, 5000)], "ok", 0),  # long ago
    ("non_finite", [steps(change=lambda s: {"non_finite_in_a_row": 10 * (s == 300)})], "fail", 10),
    ("non_finite", [steps(500), [{"kind": "event", "step": 510, "event": "diverged", "words": ""}]], "fail", 10),
    ("discriminator_wins", [steps(change=lambda s: {"accuracy": 0.96})], "warn", 0.96),
    ("discriminator_wins", [steps(change=lambda s: {"accuracy": 0.999})], "fail", 0.999),
    ("discriminator_wins", [steps(change=lambda s: {"accuracy": 0.999 if s < 8000 else 0.6})], "ok", 0.6),
    ("discriminator_wins", [steps(900, lambda s: {"accuracy": 1.0})], "unknown", None),  # so far it always is
    ("discriminator_wins", [steps(change=lambda s: {"accuracy": None})], "unknown", None),
    ("discriminator_loses", [steps(change=lambda s: {"accuracy": 0.45})], "warn", 0.45),
    ("discriminator_loses", [steps(change=lambda s: {"accuracy": 0.2})], "fail", 0.2),
    ("discriminator_loses", [steps(change=lambda s: {"accuracy": 0.5})], "ok", 0.5),  # the optimum
    ("discriminator_loses", [steps(100, lambda s: {"accuracy": 0.2})], "unknown", None),
    ("overfitting", [steps(), evaluations(change=lambda s: {"logits": {"train": 2, "held_out": 1.8, "fake": 1.5}})],
     "warn", 0.4),
    ("overfitting", [steps(), evaluations(change=lambda s: {"logits": {"train": 2, "held_out": 1, "fake": 1}})],
     "fail", 1.0),
    ("overfitting", [steps(), evaluations(change=lambda s: {"logits": {"train": 2, "held_out": 1 + (s < 10_000),
                                                                       "fake": 1}})], "ok", 0.0),  # once is chance
    ("overfitting", [steps(), evaluations(change=lambda s: {"memorisation": 0.4})], "fail", 0.6),
    ("overfitting", [steps(change=lambda s: {"accuracy": 0.51}),
                     evaluations(change=lambda s: {"logits": {"train": 2, "held_out": 1.9, "fake": 1.9},
                                                   "memorisation": None})], "unknown", None),
    ("mode_collapse", [evaluations(change=lambda s: {"diversity": 0.5})], "warn", 0.5),
    ("mode_collapse", [evaluations(change=lambda s: {"diversity": 0.1})], "fail", 0.1),
    ("mode_collapse", [evaluations(change=lambda s: {"recall": 0.0, "precision": 1.0})], "fail", 0.0),
    ("mode_collapse", [evaluations(change=lambda s: classes(only(*NAMES[:8])))], "warn", 0.8),
    ("mode_collapse", [evaluations(change=lambda s: classes(only(*NAMES[:2])))], "fail", 0.2),
    ("mode_collapse", [evaluations(2000, lambda s: {"recall": 0.0})], "ok", 0.95),  # recall comes late
    ("mode_imbalance", [evaluations(change=lambda s: classes({**EVEN, "3": 0.19, "4": 0.01}))], "warn", 0.1),
    ("mode_imbalance", [evaluations(change=lambda s: classes(only(*NAMES[:9])))], "fail", 0.0),
    ("mode_imbalance", [evaluations(2000, lambda s: classes(only("3")))], "unknown", None),
    ("oscillation", [evaluations(change=lambda s: classes({**EVEN, "3": 0.1 - 0.1 * (s // 1000 % 2) + 0.05,
                                                            "4": 0.05 + 0.1 * (s // 1000 % 2)}))], "ok", 0.1),
    ("oscillation", [evaluations(change=lambda s: classes(only(str(s // 1000 % 2), "3", "4")))], "warn", 1 / 3),
    ("oscillation", [evaluations(change=lambda s: classes(only(str(s // 1000 % 2))))], "fail", 1.0),
    ("oscillation", [evaluations(change=lambda s: {"classes": None, "fd": 10 + 20 * (s // 1000 % 2)})], "fail", None),
    ("oscillation", [evaluations(change=lambda s: {"classes": None})], "ok", 0.0),  # a steady fall
    ("penalty_balance", [steps(change=lambda s: {"accuracy": 0.9, "loss_d": 0.69})], "fail", None),
    ("penalty_balance", [steps(change=lambda s: {"r1": 7.0, "r2": 7.0})], "fail", 7 / math.log(2)),
    ("penalty_balance", [steps(change=lambda s: {"r1": 0.6})], "warn", 6.0),
    ("penalty_balance", [steps(change=lambda s: {"r1": None, "r2": None, "accuracy": 0.5})], "unknown", None),
    ("stagnation", [evaluations(change=lambda s: {"fd": 50.0})], "fail", 0.9),
    ("stagnation", [evaluations(change=lambda s: {"fd": max(100 - s / 100, 50.0)})], "warn", 0.5),
    ("stagnation", [evaluations(change=lambda s: {"fd": 4.0})], "ok", 0.0),  # near the floor samples may rest
    ("stagnation", [evaluations(change=lambda s: {"fd": 100 - s / 80 if s < 8000 else 90.0})], "fail", None),
    ("stagnation", [evaluations(2000)], "unknown", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "lines", "level", "value"), KNOWN)
def test_a_known_answer(name: str, lines: list[list[dict[str, Any]]], level: str, value: float | None) -> None:
    found = read(name, *lines)
    assert found.level == level, found
    if value is not None:
        assert found.value == pytest.approx(value)
    if level in ("warn", "fail"):
        assert ": " in found.words, "advice"


def test_what_is_not_measured_says_so() -> None:
    for reading in examine(history()).readings:
        assert reading.level == "unknown"
        assert reading.value is None
        assert reading.words.startswith("not measured: ")
    assert "no classes" in read("mode_imbalance", evaluations(change=lambda s: {"classes": None})).words
    assert "no gradient penalty" in read("penalty_balance", steps(), penalties=()).words


def test_a_class_is_missed_only_where_enough_samples_could_show_it() -> None:
    change = {**classes({**EVEN, "3": 0.0}), "classes": {"shares": {**EVEN, "3": 0.0}, "kl": 0.1}}
    assert read("mode_imbalance", evaluations(change=lambda s: change)).level == "fail"
    assert read("mode_imbalance", evaluations(change=lambda s: {**change, "n_fakes": 100})).level == "ok"
    assert read("mode_imbalance", evaluations(change=lambda s: change), shares=None).level == "ok"


def test_the_gain_is_that_of_entropy() -> None:
    """A discriminator whose loss is the entropy of its ranking gains all that is possible: a ratio of 1."""
    p = 0.8
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    found = read("penalty_balance", steps(change=lambda s: {"accuracy": p, "loss_d": entropy, "r2": None}))
    gauge = next(
        g
        for g in DIAGNOSTICS.get("penalty_balance")().gauges(
            history(steps(change=lambda s: {"accuracy": p, "loss_d": entropy}))
        )
        if isinstance(g, Gauge) and g.unit.startswith("gain")
    )
    assert found.level == "ok"
    assert gauge.value == pytest.approx(1.0)


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
def test_factors_and_constants_of_scores_change_nothing(loss: str) -> None:
    """The relativistic score is known up to a constant, the Wasserstein score has a unit of its own."""

    def moved(step: int, factor: float, constant: float) -> dict[str, Any]:
        raw = {"train": 2.0, "held_out": 1.75, "fake": 1.5}
        return {"logits": {name: factor * value + constant for name, value in raw.items()}}

    plain, other = (
        examine(
            history(
                steps(change=lambda s, c=constant: {"logit_real": 2 + c, "logit_fake": 1.5 + c}),  # type: ignore[misc]
                evaluations(change=lambda s, f=factor, c=constant: moved(s, f, c)),  # type: ignore[misc]
                loss=loss,
            )
        )
        for factor, constant in ((1.0, 0.0), (40.0, -300.0))
    )
    assert [(r.name, r.level) for r in plain.readings] == [(r.name, r.level) for r in other.readings]
    assert plain["overfitting"].value == pytest.approx(other["overfitting"].value)
    assert plain["overfitting"].value == pytest.approx(0.5)


def test_the_unit_of_features_changes_nothing() -> None:
    plain, other = (
        examine(
            history(
                steps(),
                evaluations(
                    change=lambda s, f=factor: {"fd": f * (3 + 9000 / s), "fd_floor": f, "fd_ceiling": 100 * f}  # type: ignore[misc]
                ),
            )
        )
        for factor in (1.0, 700.0)
    )
    assert [r.value for r in plain.readings] == pytest.approx([r.value for r in other.readings])


def test_thresholds_belong_to_the_better_side_and_lie_in_order() -> None:
    falling = Gauge(0.3, "", 0.7, 0.3, "found", "do", falling=True)
    rising = Gauge(5, "", 5, 9, "found", "do")
    assert (falling.level, rising.level) == ("warn", "ok")
    for name, lines, *_ in KNOWN:
        gauges = DIAGNOSTICS.get(name)().gauges(history(*lines))
        for gauge in () if isinstance(gauges, str) else gauges:
            if gauge.warn is not None and gauge.fail is not None:
                assert (gauge.fail < gauge.warn) == gauge.falling


def reading(name: str, level: str) -> Reading:
    return Reading(name, 1.0, "", 0.0, 2.0, level, "found: do this", 7)


@pytest.mark.parametrize(
    ("levels", "verdict", "said"),
    [
        (("ok", "ok", "ok"), "HEALTHY", "3 of 3"),
        (("ok", "unknown", "ok"), "HEALTHY", "not measured: mode imbalance"),
        (("unknown", "ok", "ok"), "TOO EARLY", "too early"),
        (("unknown", "ok", "warn"), "CHECK", "non finite warned"),
        (("warn", "fail", "ok"), "UNHEALTHY", "mode imbalance failed, mode collapse warned"),
        (("unknown", "unknown", "fail"), "UNHEALTHY", "non finite failed"),
    ],
)
def test_the_verdict(levels: tuple[str, ...], verdict: str, said: str) -> None:
    names = ("mode_collapse", "mode_imbalance", "non_finite")
    found = Health(tuple(reading(n, level) for n, level in zip(names, levels, strict=True)), 7)
    assert found.verdict == verdict
    assert said in found.words


def test_health_goes_through_json_and_is_read_by_reports() -> None:
    found = examine(history(steps(), evaluations(change=lambda s: {"diversity": 0.5})))
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert Health.from_dict(plain) == found
    assert shown.checked(plain) == plain
    assert plain["verdict"] == "CHECK"
    assert shown.found(plain, "warn") == ["mode collapse"]


def test_few_measurements_fail_nothing() -> None:
    sound = examine(history(steps(), evaluations()[-1:]))
    assert sound.verdict == "HEALTHY"
    assert {r.name for r in sound.readings if r.level == "unknown"} == {"stagnation", "oscillation"}


def test_a_history_is_read_from_a_file_also_while_it_is_written(tmp_path: Path) -> None:
    path, lines = tmp_path / "metrics.jsonl", steps(500) + evaluations(3000)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text + '{"kind": "steps", "st')
    found = History.read(path, Facts(PLAN))
    assert (len(found.steps), len(found.evaluations), found.step) == (5, 3, 3000)
    path.write_text(text.replace('"kind"', "kind", 1))
    with pytest.raises(ValueError, match="line 1 of .* is not JSON"):
        History.read(path, Facts(PLAN))
    with pytest.raises(FileNotFoundError, match="no history"):
        History.read(tmp_path / "none", Facts(PLAN))
    with pytest.raises(ValueError, match='"kind" and "step"'):
        History([{"kind": "steps"}], Facts(PLAN))


def test_steps_that_were_done_again_count_once() -> None:
    again = History([*steps(1000), *steps(800)[3:], *evaluations(1000)], Facts(PLAN))
    assert [line["step"] for line in again.steps] == list(range(100, 801, 100))


def test_a_history_as_it_was() -> None:
    whole = history(steps(), evaluations())
    assert whole.until(3450).step == 3400
    assert [line["step"] for line in whole.until(3450).evaluations] == [1000, 2000, 3000]
    assert whole.until(0).step == 0


def test_facts_are_those_of_the_config() -> None:
    facts = Facts.of(load("dcgan", ["run.steps=300", "loss.name=hinge", "loss.penalties=['gp']", "loss.gp=3"]))
    assert facts == Facts(300, "hinge", ("gp",), 3.0, None)


def test_values_that_are_no_numbers_are_left_out() -> None:
    odd = history(steps(300, lambda s: {"loss_d": {100: None, 200: math.nan}.get(s, 0.5)}), evaluations(1000))
    assert odd.series("loss_d") == [(300, 0.5)]
    assert odd.measured("classes", "nothing") == []
