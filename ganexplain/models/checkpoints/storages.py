"""From the records that describe tensors to tensors: sizes, places and types checked against the bytes there are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain.models.checkpoints.naming import FROM_BYTES, Name, Record, UnreadableError

NUMBERS = {*("f2", "f4", "f8"), *("i1", "i2", "i4", "i8"), *("u1", "u2", "u4", "u8"), "b1"}
SLACK = 64 * 2**20
DTYPES = {
    **{"Double": torch.float64, "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16},
    **{"Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8},
    **{"Bool": torch.bool, "ComplexFloat": torch.complex64, "ComplexDouble": torch.complex128, "Untyped": torch.uint8},
    **{"QInt8": torch.qint8, "QUInt8": torch.quint8, "QInt32": torch.qint32},
}
PLAIN = {f"torch._utils._rebuild_{name}" for name in ("tensor", "tensor_v2", "tensor_v3")}
WRAPPED = {
    *(f"torch._utils._rebuild_{name}" for name in ("parameter", "parameter_with_state")),
    *("torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.autograd.variable.Variable"),
}
ODD = {
    "torch._utils._rebuild_qtensor": "quantised",
    "torch._utils._rebuild_sparse_tensor": "sparse",
    "torch._utils._rebuild_nested_tensor": "nested",
    "torch._utils._rebuild_meta_tensor_no_storage": "without values (device meta)",
    "torch._utils._rebuild_wrapper_subclass": "of a class of its own",
    "torch._utils._rebuild_device_tensor_from_numpy": "from another kind of device",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": "from another kind of device",
}
ARRAYS = tuple(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core"))
SCALARS = tuple(f"numpy.{core}.multiarray.scalar" for core in ("core", "_core"))


@dataclass(frozen=True)
class Storage:
    """A run of numbers kept outside the pickle."""

    key: str
    dtype: torch.dtype
    numel: int
    start: int = 0


def storage(saved: Any) -> Any:
    """What stands for the persistent identity ``saved``: a `Storage`, or the class of a module saved with its source.

    Raises:
        UnreadableError: it is neither.
    """
    what = saved[0] if isinstance(saved, tuple) and saved else None
    if what == "module":
        return saved[1]
    if what != "storage" or len(saved) not in (5, 6) or not isinstance(saved[1], Name):
        raise UnreadableError(
            "refers to something outside of it that is no storage of numbers; save it again by torch.save"
        )
    kind = saved[1].name.removesuffix("Storage")
    if kind not in DTYPES:
        raise UnreadableError(
            f"holds numbers of the unknown type {saved[1].path}; convert them to float32 and save again"
        )
    start = natural(saved[5][1]) if len(saved) == 6 and saved[5] else 0
    return Storage(str(saved[2]), DTYPES[kind], natural(saved[4]), start)


def natural(value: Any) -> int:
    """``value``, if it may be a size or a place in a file."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise UnreadableError(f"states the size or place {str(value)[:40]!r}, which is none; download or copy it again")
    return value


def plainly(record: Any) -> Record | None:
    """The record of the tensor itself, without parameters and subclasses around it; None where it is no tensor."""
    for _ in range(16):
        if not isinstance(record, Record):
            return None
        args = record.args if isinstance(record.args, tuple) else ()
        if record.kind in WRAPPED and args:
            record = args[0]
        elif record.kind == "torch._tensor._rebuild_from_type_v2" and len(args) > 2 and isinstance(args[0], Name):
            record = Record(args[0].path, args[2])
        elif record.kind in PLAIN or record.kind in ODD or record.kind in ARRAYS:
            return record
        elif record.kind.startswith("torch.") and record.kind.endswith("Tensor") and isinstance(record.built, tuple):
            return Record("torch._utils._rebuild_tensor", record.built)
        else:
            return None
    return None


@dataclass
class Store:
    """The bytes of a file's storages, read when a tensor needs them and once each.

    Attributes:
        raw: the bytes of a storage by its key.
        budget: how many bytes all tensors together may still take.
        swapped: whether the file was written on a machine of the other byte order.
        inner: the storage in bytes that are a file of their own, as plain pickles keep them, and its store.
    """

    raw: Callable[[str], memoryview]
    budget: int
    swapped: bool = False
    inner: Callable[[Any], tuple[Storage, Store]] | None = None
    kept: dict[str, Tensor] = field(default_factory=dict)
    inside: dict[int, tuple[Storage, Store]] = field(default_factory=dict)

    def tensor(self, record: Record, name: str) -> Tensor:
        """The dense tensor of a record from `plainly`.

        Raises:
            UnreadableError: another kind of tensor, or a size or place that the file's bytes do not have.
        """
        if record.kind in ODD:
            raise UnreadableError(
                f"holds the tensor {name!r}, which is {ODD[record.kind]}; save it as a dense float32 tensor instead"
            )
        return self._array(record, name) if record.kind in ARRAYS else self._view(record, name)

    def _view(self, record: Record, name: str) -> Tensor:
        run, offset, size, stride = record.args[:4]
        store = self
        if isinstance(run, Record) and run.kind == FROM_BYTES and self.inner is not None:
            run, store = self.inside.setdefault(id(run), self.inside.get(id(run)) or self.inner(run.args[0]))
        if not isinstance(run, Storage):
            raise UnreadableError(f"holds the tensor {name!r} without its numbers; save it again by torch.save")
        dtype = _dtype(record.args[6]) if record.kind.endswith("_v3") else run.dtype
        shape, steps = [natural(n) for n in size], [natural(n) for n in stride]
        if len(shape) != len(steps):
            raise UnreadableError(f"states the shape {tuple(shape)} and strides {tuple(steps)} for the tensor {name!r}")
        self._spend(math.prod(shape) * dtype.itemsize, shape, name)
        if dtype in (torch.qint8, torch.quint8, torch.qint32):
            raise UnreadableError(f"holds the tensor {name!r}, which is quantised; save it as a dense float32 tensor")
        numbers = store._numbers(run.key, dtype)
        offset = natural(offset) + run.start
        last = offset + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
        if 0 not in shape and last >= len(numbers):
            raise UnreadableError(
                f"states the shape {tuple(shape)} for the tensor {name!r}, more than the {len(numbers)} numbers "
                "that it holds for it; download or copy it again"
            )
        if 0 in shape:
            return torch.zeros(shape, dtype=dtype)
        return numbers.as_strided(shape, steps, offset).contiguous()

    def _spend(self, nbytes: int, shape: list[int], name: str) -> None:
        self.budget -= nbytes
        if self.budget < 0:
            raise UnreadableError(
                f"states the shape {tuple(shape)} for the tensor {name!r}: its tensors would take several times the "
                "file's own size; do not trust it"
            )

    def _numbers(self, key: str, dtype: torch.dtype) -> Tensor:
        if key not in self.kept:
            raw = torch.from_numpy(np.frombuffer(self.raw(key), np.uint8).copy())
            if self.swapped and len(raw) % dtype.itemsize == 0:
                raw = raw.view(-1, dtype.itemsize).flip(1).reshape(-1)
            self.kept[key] = raw
        raw = self.kept[key]
        if not len(raw):
            return torch.empty(0, dtype=dtype)  # numpy's empty arrays have strides that torch cannot view
        return raw[: len(raw) // dtype.itemsize * dtype.itemsize].view(dtype)

    def _array(self, record: Record, name: str) -> Tensor:
        """An array of numpy, whose bytes lie in the pickle."""
        _, size, kind, fortran, raw = record.built
        shape = [natural(n) for n in size]
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if not isinstance(raw, bytes | bytearray):
            raise UnreadableError(f"holds the array {name!r} of Python objects; save numbers instead")
        flat = np.frombuffer(raw, numpy_dtype(kind))
        self._spend(flat.nbytes, shape, name)
        if math.prod(shape) != len(flat):
            raise UnreadableError(f"states the shape {tuple(shape)} for the array {name!r} of {len(flat)} numbers")
        array = flat.reshape(shape, order="F" if fortran else "C")
        return torch.from_numpy(np.array(array, order="C", dtype=array.dtype.newbyteorder("=")))


def numpy_dtype(record: Any) -> np.dtype[Any]:
    """The number type that a pickled ``numpy.dtype`` describes.

    Raises:
        UnreadableError: it is none of plain numbers.
    """
    code = record.args[0] if isinstance(record, Record) and record.kind == "numpy.dtype" else None
    order = record.built[1] if code and isinstance(record.built, tuple) and len(record.built) > 1 else "<"
    code = code.decode("latin1") if isinstance(code, bytes) else code
    if not isinstance(code, str) or code not in NUMBERS:
        raise UnreadableError(f"holds numpy values of the type {str(code)[:40]!r}; save numbers instead")
    return np.dtype((">" if order in (">", b">") else "<") + code)


def _dtype(name: Any) -> torch.dtype:
    found = getattr(torch, name.name, None) if isinstance(name, Name) and name.module == "torch" else None
    if not isinstance(found, torch.dtype):
        raise UnreadableError("holds numbers of an unknown type; convert them to float32 and save again")
    return found
