"""Which pictures of a folder belong to which class, and which of them are its test images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ganexplain.data.images import SUFFIXES

TRAIN = "train"
HELD_OUT = ("test", "val", "valid", "validation")
JSON_LABELS = "dataset.json"  # of StyleGAN's data set tool
MAX_JSON = 2**28


@dataclass(frozen=True)
class Listing:
    """Pictures in the order of the data set: by class, then by name; the test images last.

    Attributes:
        files: of the pictures.
        labels: an index into ``class_names`` for each, or None.
        class_names: names of the class folders, sorted.
        n_test: how many at the end are test images.
        notes: what should be known of the choice, in words.
    """

    files: list[Path]
    labels: list[int] | None
    class_names: tuple[str, ...]
    n_test: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Look:
    """What lies directly in a folder, hidden things left out, sorted by name."""

    pictures: list[Path]
    folders: list[Path]
    others: int


def listing(root: Path) -> Listing:
    """The pictures of a folder: directly in it, in class folders, or either of these in ``train`` and ``test``.

    Where it holds a ``dataset.json`` of StyleGAN's data set tool, the labels are in there, and folders are no classes.

    Raises:
        FileNotFoundError: there is no picture.
        ValueError: an arrangement that could be read in several ways; the message names the folders.
    """
    top = _look(root)
    if (root / JSON_LABELS).is_file():
        return _by_json(root, top)
    parts = {folder.name.lower(): folder for folder in top.folders if folder.name.lower() in (TRAIN, *HELD_OUT)}
    tests = [folder for name, folder in parts.items() if name != TRAIN]
    if TRAIN not in parts or top.pictures or len(parts) < len(top.folders):
        if TRAIN in parts and tests:
            raise ValueError(
                f"{root} has the folders {parts[TRAIN].name} and {tests[0].name} beside other folders or pictures; "
                "leave those two alone in it, or name one of them"
            )
        files, labels, names, others = _plain(root, top)
        return Listing(files, labels, names, 0, _left_out(others))
    if len(tests) > 1:
        several = " and ".join(folder.name for folder in tests)
        raise ValueError(f"{root} has {several} beside {parts[TRAIN].name}; leave one of them, it is held out")
    return _official(parts[TRAIN], tests[0] if tests else None)


def _official(train: Path, test: Path | None) -> Listing:
    files, labels, names, others = _plain(train, _look(train))
    if test is None:
        return Listing(files, labels, names, 0, (f"of its folder {train.name}", *_left_out(others)))
    test_files, test_labels, test_names, more = _plain(test, _look(test))
    strange = [name for name in test_names if name not in names]
    if strange or (labels is None) != (test_labels is None):
        what = f"the class {strange[0]!r}" if strange else "no class folders"
        raise ValueError(f"{test} has {what}, and {train} has {', '.join(names) or 'none'}; both need the same classes")
    if labels is not None and test_labels is not None:
        labels = labels + [names.index(test_names[label]) for label in test_labels]
    notes = (f"{len(test_files)} of them, in {test.name}, are its test images", *_left_out(others + more))
    return Listing(files + test_files, labels, names, len(test_files), notes)


def _plain(root: Path, here: _Look) -> tuple[list[Path], list[int] | None, tuple[str, ...], int]:
    """Files, labels, names of the classes, and the number of files left out."""
    looks = {folder: _look(folder) for folder in here.folders}
    classes = {folder: look for folder, look in looks.items() if look.pictures}
    deeper = [inner for look in looks.values() for inner in look.folders if _look(inner).pictures]
    if here.pictures and (classes or deeper):
        inside = next(iter(classes), None) or deeper[0].parent
        raise ValueError(
            f"{root} has pictures both directly in it ({here.pictures[0].name}) and in subfolders ({inside.name}); "
            "put all of them in subfolders (classes) or none"
        )
    if deeper:
        raise ValueError(
            f"{root} has pictures deeper than its class folders, in {deeper[0].relative_to(root)}; classes are one "
            f"level of folders, so move them up, or name {deeper[0].parent}"
        )
    others = here.others + sum(look.others for look in looks.values())
    if here.pictures:
        return here.pictures, None, (), others
    if not classes:
        raise FileNotFoundError(f"no picture in {root}{_hint(root)}")
    files = [file for look in classes.values() for file in look.pictures]
    labels = [label for label, look in enumerate(classes.values()) for _ in look.pictures]
    return files, labels, tuple(folder.name for folder in classes), others


def _by_json(root: Path, top: _Look) -> Listing:
    """Pictures in folders of a thousand, and in a file the label of each, or null."""
    files = top.pictures + [file for folder in top.folders for file in _look(folder).pictures]
    if not files:
        raise FileNotFoundError(f"no picture in {root}")
    path = root / JSON_LABELS
    with path.open("rb") as file:
        raw = file.read(MAX_JSON + 1)
    if len(raw) > MAX_JSON:
        raise ValueError(f"{path} has more than {MAX_JSON} bytes, more than is read")
    try:
        content = json.loads(raw)
        pairs = content["labels"]
        given = None if pairs is None else {str(name).replace("\\", "/"): label for name, label in pairs}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        wanted = '{"labels": [["name.png", 0], ...]} or {"labels": null}'
        raise ValueError(f"{path} must be {wanted} ({type(error).__name__}); remove or repair it") from error
    if given is None:
        return Listing(files, None, (), 0, (f"no labels in its {path.name}",))
    labels = [given.get(file.relative_to(root).as_posix()) for file in files]
    bad = [file for file, label in zip(files, labels, strict=True) if type(label) is not int]
    if bad:
        raise ValueError(f"{path} has no whole number as the label of {bad[0].relative_to(root).as_posix()}; add it")
    values = sorted({int(label) for label in labels if label is not None})
    index = {value: i for i, value in enumerate(values)}
    indices = [index[label] for label in labels if label is not None]
    return Listing(files, indices, tuple(map(str, values)), 0, (f"labels from its {path.name}",))


def _look(folder: Path) -> _Look:
    entries = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: p.name)
    folders = [p for p in entries if p.is_dir()]
    pictures = [p for p in entries if p.suffix.lower() in SUFFIXES and p.is_file()]
    return _Look(pictures, folders, len(entries) - len(folders) - len(pictures))


def _left_out(others: int) -> tuple[str, ...]:
    return (f"{others} other file{'s' * (others > 1)} left out",) * bool(others)


def _hint(root: Path) -> str:
    return f"; it has idx files, open idx:{root}" if next(root.glob("*-ubyte*"), None) else ""
