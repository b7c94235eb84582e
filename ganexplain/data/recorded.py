"""The data of a run, recorded when it begins and compared when it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split

LISTED = 3  # changes of classes or features that are listed


def record(data: DataSet, split: Split) -> dict[str, Any]:
    """Data set and split as plain JSON: `DataSet.record` with `Split.record` under "split"."""
    return {**data.record(), "split": split.record()}


def check_same(recorded: Mapping[str, Any], data: DataSet, split: Split) -> None:
    """Raise unless ``data`` and ``split`` are those that a run began with.

    Name and source may differ, since a folder may be moved. A change that explains others is named instead of them: of
    images under other class names it says which class is now called what.

    Args:
        recorded: what `record` gave when the run began.
        data: the data set now.
        split: its split now.

    Raises:
        ValueError: a change, named; or a record that lacks something.

    >>> from ganexplain.data.sets import open_data
    >>> from ganexplain.data.splits import split
    >>> digits = open_data("digits")
    >>> check_same(record(digits, split(digits)), digits, split(digits, seed=1))
    Traceback (most recent call last):
    ValueError: the data is not what the run began with: the split's seed was 0, now 1; give the same data, \
or start a new run
    """
    now = record(data, split)
    _check_record(recorded, now)
    changes = _form(recorded, now) or _classes(recorded, now) or _contents(recorded, now)
    changes += _split(recorded["split"], now["split"], alone=not changes)
    if changes:
        raise ValueError(
            f"the data is not what the run began with: {'; '.join(changes)}; give the same data, or start a new run"
        )


def _check_record(recorded: Mapping[str, Any], now: dict[str, Any]) -> None:
    """Raise unless the record has the same entries of the same kinds, since it comes from a file."""
    for part, like, where in ((recorded, now, ""), (recorded.get("split"), now["split"], "split.")):
        if not isinstance(part, Mapping):
            raise ValueError("the record of the run's data has no split; start a new run")
        for key, value in like.items():
            optional = key in ("labels_fingerprint", "class_counts")
            kinds = (list, str, type(None)) if optional else (type(value),)
            if key not in part or not isinstance(part[key], kinds):
                raise ValueError(f"the record of the run's data has no valid {where}{key}; start a new run")


def _form(was: Mapping[str, Any], now: dict[str, Any]) -> list[str]:
    if len(was["shape"]) != len(now["shape"]):
        return [f"it was {_many(was)} {_shape(was)}, now {_many(now)} {_shape(now)}"]
    changes = _names("feature", was["feature_names"], now["feature_names"])
    if not changes and was["shape"] != now["shape"]:
        changes.append(f"{_many(was)} were {_shape(was)}, now {_shape(now)}")
    return changes


def _classes(was: Mapping[str, Any], now: dict[str, Any]) -> list[str]:
    """Other names or another order first, since the numbers of images follow from them."""
    changes = _names("class", was["class_names"], now["class_names"])
    if changes and was["labels_fingerprint"] is not None:
        changes[-1] += f": {_many(was)} of one class would be learned under another's label"
    return changes


def _contents(was: Mapping[str, Any], now: dict[str, Any]) -> list[str]:
    changes = []
    many, before, after = _many(was), was["class_counts"], now["class_counts"]
    if was["n"] != now["n"]:
        changes.append(f"{was['n']:,} {many} then, {now['n']:,} now")
    if before != after and before and after and len(before) == len(after) == len(now["class_names"]):
        triples = zip(now["class_names"], before, after, strict=True)
        uneven = [f"the class {name!r} had {a:,}, now {b:,}" for name, a, b in triples if a != b]
        changes.append(_some(uneven))
    if was["official_test"] != now["official_test"]:
        changes.append(f"{was['official_test']:,} official test {many} then, {now['official_test']:,} now")
    if changes:
        return changes
    if was["labels_fingerprint"] != now["labels_fingerprint"]:
        absent = [word for word, part in (("then", was), ("now", now)) if part["labels_fingerprint"] is None]
        changes.append(f"no labels {absent[0]}" if len(absent) == 1 else "other labels, or in another order")
    if was["images_fingerprint"] != now["images_fingerprint"]:
        sources = f" ({was['source']!r} then, {now['source']!r} now)" if was["source"] != now["source"] else ""
        changes.append(f"other {many}, or in another order{sources}")
    if not changes and was["fingerprint"] != now["fingerprint"]:
        changes.append(f"another fingerprint, {was['fingerprint']} then, {now['fingerprint']} now")
    return changes


def _split(was: Mapping[str, Any], now: dict[str, Any], *, alone: bool) -> list[str]:
    """The seed is a cause of its own; the rows follow from the data where that changed."""
    changes = [f"the split's seed was {was['seed']}, now {now['seed']}"] * (was["seed"] != now["seed"])
    if changes or not alone:
        return changes
    for key, words in (("n_held_out", "held out"), ("n_train", "to train on")):
        if was[key] != now[key]:
            changes.append(f"{was[key]:,} rows {words} then, {now[key]:,} now")
    if was["official"] != now["official"]:
        changes.append(f"official test images {'were' if was['official'] else 'are now'} held out")
    if not changes and was["fingerprint"] != now["fingerprint"]:
        changes.append("other rows are held out")
    return changes


def _names(kind: str, was: list[str], now: list[str]) -> list[str]:
    """What became of a list of names whose order counts."""
    if was == now:
        return []
    if not was or not now:
        return [f"no {kind} names {'now' if was else 'then'}, {len(was or now)} {'then' if was else 'now'}"]
    gone, new = [n for n in was if n not in now], [n for n in now if n not in was]
    words = [f"{word} {_some(list(map(repr, names)))}" for word, names in (("lost", gone), ("new", new)) if names]
    moved = [f"{kind} {i} was {a!r}, now {b!r}" for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b]
    count = [f"{len(was)} {kind} names then, {len(now)} now ({', '.join(words)})"] if len(was) != len(now) else []
    return [", ".join(count + [_some(moved)] * bool(moved))]


def _some(items: list[str]) -> str:
    return ", ".join(items[:LISTED]) + (f" and {len(items) - LISTED} more" if len(items) > LISTED else "")


def _many(part: Mapping[str, Any]) -> str:
    return "rows" if len(part["shape"]) == 1 else "images"


def _shape(part: Mapping[str, Any]) -> str:
    sides = [str(side) for side in part["shape"]]
    return f"of {sides[0]} features" if len(sides) == 1 else f"of {'x'.join(sides)} (channels, height, width)"
