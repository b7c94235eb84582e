"""Reads a pickle without running it: every object that it describes becomes a plain container or an inert record.

A pickle is a program for a small stack machine. The machine here knows the whole language (protocols 0 to 5) but can
neither import nor call: a class is a `Name`, an object a `Record`, a call what `naming.called` puts in its place.
Depth costs nothing, since nothing here calls itself; keys are never hashed beyond plain values.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any, cast

from ganexplain.models.checkpoints.mapped import Mapped
from ganexplain.models.checkpoints.naming import ADVICE, Name, Record, UnreadableError, called, keyed, mentioned

MAX_STEPS = 5_000_000  # seconds and about a gigabyte; a checkpoint of a thousand layers takes some 50,000

# instructions that put their own argument on the stack
PUSHED = {
    *("INT", "LONG", "LONG1", "LONG4"),
    *("BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT", "NONE"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
IGNORED = {"PROTO", "FRAME"}


def interpret(stream: Mapped, persistent: Callable[[Any], Any]) -> Any:
    """The object that the pickle at the stream's position describes; the stream is left behind its end.

    Args:
        stream: where the pickle begins.
        persistent: what stands for an object kept outside the pickle, such as a storage.

    Raises:
        UnreadableError: a name that no weights need, an unknown instruction, or too many of them.
    """
    machine = Machine(persistent)
    for steps, (opcode, arg, _) in enumerate(pickletools.genops(cast("IO[bytes]", stream))):
        if steps > MAX_STEPS:
            raise UnreadableError(f"needs more than {MAX_STEPS} steps to be read; {ADVICE}")
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.step(opcode.name, arg)
    raise UnreadableError("ends in the middle of its description; download or copy it again")


class Machine:
    """The stack, the memo and the marks of one pickle."""

    def __init__(self, persistent: Callable[[Any], Any]) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.persistent = persistent

    def step(self, name: str, arg: Any) -> None:
        """Carry out one instruction."""
        if name in PUSHED:
            self.stack.append(arg)
        elif name not in IGNORED:
            act = ACTS.get(name)
            if act is None:
                raise UnreadableError(f"holds the pickle instruction {name}, which no weights need; {ADVICE}")
            act(self, arg)

    def pop(self, n: int) -> list[Any]:
        """The ``n`` topmost values, taken off the stack."""
        if n > len(self.stack):
            raise UnreadableError("is damaged: its description takes more than it holds; download or copy it again")
        top = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return top

    def marked(self) -> list[Any]:
        """The values above the last mark, taken off the stack with it."""
        return self.pop(len(self.stack) - self.marks.pop())

    def collect(self, n: int) -> None:
        """Make one tuple of the ``n`` topmost values."""
        self.stack.append(tuple(self.pop(n)))

    def put(self, key: int | None) -> None:
        """Remember the topmost value."""
        self.memo[len(self.memo) if key is None else key] = self.stack[-1]

    def extend(self, values: list[Any]) -> None:
        """Append to the list or record on top."""
        target = self.stack[-1]
        if isinstance(target, Record):
            target.elements.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise UnreadableError(f"is damaged: it appends to a {type(target).__name__}; download or copy it again")

    def assign(self, flat: list[Any]) -> None:
        """Put keys and values, in turns, into the mapping or record on top."""
        target = self.stack[-1]
        pairs = keyed(zip(flat[::2], flat[1::2], strict=True))
        if isinstance(target, Record):
            target.items.update(pairs)
        elif isinstance(target, dict):
            target.update(pairs)
        else:
            raise UnreadableError(f"is damaged: it assigns to a {type(target).__name__}; download or copy it again")

    def build(self) -> None:
        """Give the record below its state; what plain containers carry besides their items is left out."""
        target, state = self.pop(2)
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        if isinstance(target, Record):
            for part in parts:
                if isinstance(part, dict):
                    target.state.update(part)
            target.built = state
        self.stack.append(target)

    def dictionary(self) -> None:
        """Make a dictionary of the keys and values above the mark."""
        flat = self.marked()
        self.stack.append({})
        self.assign(flat)

    def reduce(self) -> None:
        """Put what stands for a call in the place of function and arguments."""
        function, args = self.pop(2)
        self.stack.append(called(function, args))

    def create(self, kind: Any, args: Any) -> None:
        """An object of a class, made without calling it."""
        if not isinstance(kind, Name):
            raise UnreadableError(f"makes an object of something that is no class; {ADVICE}")
        containers: dict[str, Callable[[], Any]] = {"collections.OrderedDict": dict, "builtins.dict": dict}
        make = containers.get(kind.path)
        self.stack.append(make() if make else Record(kind.path, args))

    def new(self, n: int) -> None:
        """Make an object of the class and arguments on top."""
        kind, args, *_ = self.pop(n)
        self.create(kind, args)

    def named(self) -> None:
        """Mention a name whose two parts lie on the stack."""
        module, name = self.pop(2)
        self.stack.append(mentioned(str(module), str(name)))

    def instance(self, module: str, name: str) -> None:
        """The oldest way to make an object: call a class with the values above the mark."""
        args = tuple(self.marked())
        self.stack.append(called(mentioned(module, name), args))

    def oldest(self) -> None:
        """As `instance`, with the class on the stack."""
        kind, *args = self.marked()
        self.stack.append(called(kind, tuple(args)))


ACTS: dict[str, Callable[[Machine, Any], object]] = {
    "NEWTRUE": lambda m, _: m.stack.append(True),
    "NEWFALSE": lambda m, _: m.stack.append(False),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": lambda m, _: m.pop(1),
    "POP_MARK": lambda m, _: m.marked(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "LIST": lambda m, _: m.stack.append(m.marked()),
    "FROZENSET": lambda m, _: m.stack.append(m.marked()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.marked())),
    "TUPLE1": lambda m, _: m.collect(1),
    "TUPLE2": lambda m, _: m.collect(2),
    "TUPLE3": lambda m, _: m.collect(3),
    "APPEND": lambda m, _: m.extend(m.pop(1)),
    "APPENDS": lambda m, _: m.extend(m.marked()),
    "ADDITEMS": lambda m, _: m.extend(m.marked()),
    "SETITEM": lambda m, _: m.assign(m.pop(2)),
    "SETITEMS": lambda m, _: m.assign(m.marked()),
    "PUT": lambda m, a: m.put(a),
    "BINPUT": lambda m, a: m.put(a),
    "LONG_BINPUT": lambda m, a: m.put(a),
    "MEMOIZE": lambda m, _: m.put(None),
    "GET": lambda m, a: m.stack.append(m.memo[a]),
    "BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "LONG_BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "GLOBAL": lambda m, a: m.stack.append(mentioned(*a.split(" ", 1))),
    "STACK_GLOBAL": lambda m, _: m.named(),
    "REDUCE": lambda m, _: m.reduce(),
    "NEWOBJ": lambda m, _: m.new(2),
    "NEWOBJ_EX": lambda m, _: m.new(3),
    "INST": lambda m, a: m.instance(*a.split(" ", 1)),
    "OBJ": lambda m, _: m.oldest(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.stack.append(m.persistent(m.pop(1)[0])),
    "DICT": lambda m, _: m.dictionary(),
}
