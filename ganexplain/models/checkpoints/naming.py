"""Which Python names a pickle may mention and call, when nothing that it names is ever imported or run."""

from __future__ import annotations

import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from typing import Any

ADVICE = "ask for the weights alone, torch.save(net.state_dict(), path), or as .safetensors"
PATHS = {"Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"}
# standard library names that hold settings or make containers; every other one is refused where it is mentioned
STANDARD = {
    "collections": {"OrderedDict", "defaultdict", "Counter", "deque"},
    "builtins": {
        *("set", "frozenset", "complex", "bytearray", "bytes", "object", "slice", "range", "list", "dict", "tuple"),
        *("int", "float", "str", "bool", "getattr", "print", "NoneType", "Ellipsis"),
    },
    "argparse": {"Namespace"},
    "types": {"SimpleNamespace"},
    "pathlib": PATHS,
    "pathlib._local": PATHS,
    "datetime": {"datetime", "date", "time", "timedelta", "timezone"},
    "functools": {"partial"},
    "_codecs": {"encode"},
    "copyreg": {"_reconstructor", "__newobj__"},
    "decimal": {"Decimal"},
    "uuid": {"UUID"},
}
FROM_BYTES = "torch.storage._load_from_bytes"  # numbers inside a pickle that torch.save did not write
NUMPY = ("numpy.core.multiarray.", "numpy._core.multiarray.", "numpy.core.numeric.", "numpy._core.numeric.")
NUMPY_CALLS = {"_reconstruct", "scalar", "_frombuffer"}


class UnreadableError(ValueError):
    """Says what is wrong with a file; `read` puts the file's name before it."""


class Name:
    """A class or function that a pickle mentions; it stands for the name and nothing else."""

    def __init__(self, module: str, name: str) -> None:
        module, name = NAME_MAPPING.get((module, name), (module, name))
        self.module, self.name = IMPORT_MAPPING.get(module, module), name  # pickles speak of Python 2's modules

    @property
    def path(self) -> str:
        """The dotted name."""
        return f"{self.module}.{self.name}"

    @property
    def like_a_class(self) -> bool:
        """Whether the last word begins with a capital, as classes do."""
        return self.name.rpartition(".")[2].lstrip("_")[:1].isupper()


class Record:
    """An object that a pickle describes: the name of its class and what would have been put into it."""

    def __init__(self, kind: str, args: Any = ()) -> None:
        self.kind, self.args = kind, args
        self.built: Any = None
        self.state: dict[Any, Any] = {}
        self.items: dict[Any, Any] = {}
        self.elements: list[Any] = []


def mentioned(module: str, name: str) -> Name:
    """The name, if a pickle may mention it.

    Raises:
        UnreadableError: it belongs to the standard library and is no container or setting.
    """
    found = Name(module, name)
    if found.module.partition(".")[0] not in sys.stdlib_module_names:
        return found
    if found.name not in STANDARD.get(found.module, ()):
        raise UnreadableError(f"would run {found.path} when it is loaded by others, which no weights need; {ADVICE}")
    return found


def called(function: Any, args: Any) -> Any:
    """What stands for ``function(*args)``: a plain container, or a record that nothing was done with.

    Raises:
        UnreadableError: the function is none that weights or settings need.
    """
    if not isinstance(function, Name) or not isinstance(args, tuple):
        raise UnreadableError(f"calls something that has no name when it is loaded by others; {ADVICE}")
    make = CALLS.get(function.path)
    if make is not None:
        return make(*args)
    harmless = (
        function.like_a_class
        or function.module in STANDARD
        or function.path.startswith(NUMPY)
        and function.name in NUMPY_CALLS
        or function.module == "numpy.random._pickle"
        or function.path in {"numpy.dtype", "numpy.ndarray"}
        or function.module == "torch._utils"
        and function.name.startswith("_rebuild_")
        or function.path in {"torch._tensor._rebuild_from_type_v2", "torch.serialization._get_layout"}
    )
    if not harmless:
        raise UnreadableError(f"would run {function.path} when it is loaded by others; {ADVICE}")
    return Record(function.path, args)


def keyed(pairs: Any) -> dict[Any, Any]:
    """A dictionary of pairs whose compound keys become text: hashing what a file nests deeply would end the process."""
    plain = (str, int, float, bytes, bool, type(None))
    return {k if isinstance(k, plain) else f"<{type(k).__name__} {i}>": v for i, (k, v) in enumerate(pairs)}


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    return keyed(pairs.items() if isinstance(pairs, Mapping) else pairs)


def _elements(values: Any = ()) -> list[Any]:
    return list(values)


def _attribute(owner: Any, name: Any) -> Any:
    """An attribute of something else, such as ``torch.relu`` of the class that holds it; only its name is kept."""
    if isinstance(owner, Name) and isinstance(name, str):
        return Name(owner.path, name)
    return Record("builtins.getattr", (owner, name))


def _persistent(meta: Any) -> Record:
    """A module of StyleGAN2-ADA and its kin, which carry their source code with them; the code is left alone."""
    if not isinstance(meta, Mapping) or not isinstance(meta.get("state"), dict):
        raise UnreadableError(f"describes an object of torch_utils.persistence without its state; {ADVICE}")
    made = Record(str(meta.get("class_name")))
    made.state = meta["state"]
    return made


def _encoded(text: str, coding: str = "latin1") -> bytes:
    if coding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise UnreadableError(f"asks for the coding {coding!r}, which no weights need; {ADVICE}")
    return text.encode(coding)


def _made(kind: Any, *_: Any) -> Record:
    return Record(kind.path if isinstance(kind, Name) else type(kind).__name__)


CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _ordered,
    "collections.defaultdict": lambda *_: {},
    "collections.deque": lambda values=(), *_: _elements(values),
    "builtins.set": _elements,
    "builtins.frozenset": _elements,
    "builtins.list": _elements,
    "builtins.tuple": lambda values=(): tuple(values),
    "builtins.dict": _ordered,
    "torch.Size": lambda values=(): tuple(values),
    "torch.device": lambda *parts: ":".join(str(p) for p in parts),
    "builtins.getattr": _attribute,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    FROM_BYTES: lambda raw: Record(FROM_BYTES, (raw,)),
    "_codecs.encode": _encoded,
    **{f"torch.jit._pickle.build_{kind}list": _elements for kind in ("int", "double", "bool", "tensor")},
    "torch.jit._pickle.restore_type_tag": lambda value, *_: value,
    "copyreg._reconstructor": _made,
    "copyreg.__newobj__": _made,
    **{
        f"{module}.{path}": lambda *parts: "/".join(map(str, parts))
        for module in ("pathlib", "pathlib._local")
        for path in PATHS
    },
}
