"""One run on several processes: replicas that average their gradients in one flat all_reduce for every update.

Why not DistributedDataParallel or FSDP, with the measurements, is in docs/many-machines.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

TIMEOUT = 60.0  # seconds that a process waits for the others in an update
PATIENCE = 3600.0  # seconds that it waits at a barrier, where another one may be measuring or writing
DIGEST = 8  # bytes


class WorldError(ConnectionError):
    """Another process of the run has ended, does not answer, or has lost step with this one."""


@dataclass(frozen=True)
class World:
    """The processes of a run, as one of them sees them; all methods are calls that every process makes in one order.

    A world of one process communicates with nobody: `average` leaves gradients alone, the rest answers at once. An
    update costs one collective, the `average` of its gradients, on which losses and other numbers ride along. A value
    that is not finite on one process is not finite in the average on all of them, so that they skip together.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
        local_rank: number of this process on its machine: which of the machine's GPUs it takes.
        slow: group in which `barrier` waits longer than an update would; None for the default group.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    slow: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (0 <= self.rank < self.size and self.local_rank >= 0):
            raise ValueError(
                f"a world needs a rank from 0 to below its size, got rank {self.rank} of {self.size}, "
                f"local rank {self.local_rank}"
            )

    @classmethod
    @contextlib.contextmanager
    def join(cls, timeout: float = TIMEOUT, *, device: str = "cpu", patience: float = PATIENCE) -> Iterator[World]:
        """Join the processes that torchrun started, and leave them when the block ends, also by an exception.

        Reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT; without them, or with one process, the world
        is this process alone and nothing is initialised. Tensors in memory travel by gloo, those on GPUs by NCCL.

        Args:
            timeout: seconds after which a process that waits for another one in an update gives up.
            device: "cpu" or "cuda".
            patience: seconds that `barrier` waits.

        Raises:
            ValueError: an incomplete environment, or a kind of device that processes cannot share.
            WorldError: in the block, from every method, where another process is lost.
        """
        rank, size, local_rank = _place()
        if size == 1:
            yield cls()
            return
        where = cls(rank, size, local_rank).device(device)
        if where.type == "cuda":
            torch.cuda.set_device(where)
        backend = "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo"
        with _together(f"process {rank} of {size} could not meet the others"):
            dist.init_process_group(backend, rank=rank, world_size=size, timeout=timedelta(seconds=timeout))
        try:
            slow = dist.new_group(backend="gloo", timeout=timedelta(seconds=max(patience, timeout)))
            yield cls(rank, size, local_rank, slow)
        finally:
            dist.destroy_process_group()

    @property
    def alone(self) -> bool:
        """Whether this process is the only one."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes, prints and measures."""
        return self.rank == 0

    def device(self, name: str | torch.device = "cpu") -> torch.device:
        """The device of this process: "cuda" is the GPU of its number on its machine.

        Raises:
            ValueError: more processes than GPUs, or a device that several processes cannot share.
        """
        device = torch.device(name)
        if self.alone or device.type == "cpu":
            return device
        if str(device) != "cuda":  # a number would put them all on one GPU
            raise ValueError(f"several processes compute on cpu or cuda, each on its own GPU; got {str(name)!r}")
        if self.local_rank >= (found := torch.cuda.device_count()):
            raise ValueError(
                f"process {self.local_rank} of this machine has no GPU, since there are {found}; "
                "start as many processes a machine as it has GPUs"
            )
        return torch.device("cuda", self.local_rank)

    def share(self, batch: int) -> slice:
        """This process's rows of a batch of ``batch`` rows; ValueError where the shares would not be equal."""
        if batch % self.size:
            lower = batch - batch % self.size
            near = f"{lower} or {lower + self.size}" if lower else f"{self.size}"
            raise ValueError(f"a batch must be a multiple of the {self.size} processes, got {batch}; take {near}")
        rows = batch // self.size
        return slice(self.rank * rows, (self.rank + 1) * rows)

    def average(self, parameters: Iterable[Tensor], *numbers: float | Tensor) -> tuple[float, ...]:
        """Replace every gradient by its mean over the processes, in one all_reduce.

        A gradient that a process lacks counts as zeros; one that all of them lack stays None, as it would in a single
        process. Every process gets the same bits. Clip afterwards, never before.

        Args:
            parameters: those of one optimiser; all on one device.
            numbers: losses and the like, whose means ride on the same all_reduce, in float32 at least.

        Returns:
            The means of ``numbers``; alone, the numbers.
        """
        if self.alone:
            return tuple(float(n) for n in numbers)
        owned = [p for p in parameters if p.requires_grad]
        if not owned:
            raise ValueError("average needs parameters that require gradients, got none")
        device = owned[0].device
        present = torch.tensor([float(p.grad is not None) for p in owned], device=device)
        riding = [torch.as_tensor(n, device=device).detach().float().reshape(1) for n in numbers]
        pieces = [(torch.zeros_like(p) if p.grad is None else p.grad).detach().reshape(-1) for p in owned]
        mean = self._sum(torch.cat([present, *riding, *pieces]), "average").div_(self.size)
        flags, values, *gradients = torch.split(mean, [len(owned), len(numbers), *(p.numel() for p in owned)])
        for parameter, flag, gradient in zip(owned, flags.tolist(), gradients, strict=True):
            if not flag:
                continue
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(gradient.view_as(parameter))
        return tuple(values.tolist())

    def any(self, flag: bool) -> bool:
        """Whether the flag is up on any process; one all_reduce."""
        return bool(self._sum(torch.tensor([int(flag)]), "any")[0]) if not self.alone else bool(flag)

    def mean(self, *numbers: float) -> tuple[float, ...]:
        """Means over the processes, in float64; one all_reduce. A NaN anywhere is a NaN for all."""
        if self.alone:
            return tuple(float(n) for n in numbers)
        total = self._sum(torch.tensor([float(n) for n in numbers], dtype=torch.float64), "mean")
        return tuple((total / self.size).tolist())

    def broadcast(self, *modules: nn.Module) -> None:
        """Give every process the parameters and buffers of process 0: at the start, and before saving and measuring.

        Parameters are equal in between; statistics of batch norms are each process's own, and those of process 0 are
        the ones that are kept. One broadcast for each dtype and device.
        """
        if self.alone:
            return
        kinds = defaultdict(list)
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                kinds[tensor.dtype, tensor.device].append(tensor.detach())
        for tensors in kinds.values():
            flat = torch.cat([t.reshape(-1) for t in tensors])
            with self._called("broadcast"):
                dist.broadcast(flat, 0)
            for tensor, piece in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
                tensor.copy_(piece.view_as(tensor))

    def same(self, *modules: nn.Module) -> None:
        """Check that all processes hold the same parameters, bit for bit; one all_gather.

        Raises:
            WorldError: they differ; names the first parameter that does.
        """
        if self.alone:
            return
        named = {
            f"{type(module).__name__} ({number}).{name}": _digest(_bits(tensor))
            for number, module in enumerate(modules, 1)
            for name, tensor in module.named_parameters()
        }
        self._agreed(named, "parameter", "the processes have lost step, so go back to the last checkpoint")

    def agree(self, **facts: str) -> None:
        """Check that all processes were given the same configuration, data and so on; one all_gather.

        Raises:
            WorldError: they differ; names the first fact that does.
        """
        if not self.alone:
            digests = {name: _digest(text.encode()) for name, text in facts.items()}
            self._agreed(digests, "setting", "start all processes with the same command and the same data")

    def barrier(self) -> None:
        """Wait until every process has come here, for as long as ``patience`` allows."""
        if not self.alone:
            self._sum(torch.zeros(1), "barrier", self.slow)

    def _sum(self, tensor: Tensor, what: str, group: Any = None) -> Tensor:
        with self._called(what):
            dist.all_reduce(tensor, group=group)
            return tensor

    def _agreed(self, digests: dict[str, bytes], kind: str, advice: str) -> None:
        own = torch.frombuffer(bytearray(b"".join(digests.values())), dtype=torch.uint8)
        found = [torch.empty_like(own) for _ in range(self.size)]
        with self._called("a comparison"):
            dist.all_gather(found, own)
        for rank, other in enumerate(found):
            if not torch.equal(other, found[0]):
                place = int(np.flatnonzero((other != found[0]).numpy())[0]) // DIGEST
                raise WorldError(f"the {kind} {list(digests)[place]} of process {rank} is not process 0's; {advice}")

    def _called(self, what: str) -> contextlib.AbstractContextManager[None]:
        return _together(
            f"process {self.rank} of {self.size} lost the others in {what}: one has ended or does not answer, "
            "and its own output says why"
        )


def _place() -> tuple[int, int, int]:
    """Rank, size and local rank from the environment."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    given = {name: os.environ.get(name) for name in names}
    if given["WORLD_SIZE"] in (None, "", "1"):
        return 0, 1, 0
    given["LOCAL_RANK"] = given["LOCAL_RANK"] or "0"  # launchers of one process a machine leave it out
    missing = [n for n in (*names, "MASTER_ADDR", "MASTER_PORT") if not given.get(n, os.environ.get(n))]
    if missing:
        raise ValueError(f"WORLD_SIZE is set, but {', '.join(missing)} is not; start the processes with torchrun")
    try:
        rank, size, local_rank = (int(given[name] or "") for name in names)
    except ValueError:
        raise ValueError(f"{', '.join(names)} must be whole numbers, got {given}") from None
    return rank, size, local_rank


def _bits(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


@contextlib.contextmanager
def _together(problem: str) -> Iterator[None]:
    """Say in words what a failed call of torch.distributed means for the run."""
    try:
        yield
    except RuntimeError as error:  # gloo raises no class of its own
        # without gloo's place in its source, and without its advice
        said = re.sub(r"^\[[^]]*\]\s*|\. This is typically.*", "", str(error).splitlines()[0])
        raise WorldError(f"{problem} ({said})") from error
