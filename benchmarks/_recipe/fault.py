"""What one fault is: a claim, and a run of the published way beside the repaired one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ganexplain import tensors


@dataclass(frozen=True)
class Compared:
    """What a run of both gave.

    Attributes:
        published: the measure under the published way.
        repaired: the same under the repaired way.
        also: further numbers of the same run.
    """

    published: float
    repaired: float
    also: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        number: its place in the list.
        name: in a few words.
        measure: what is compared; without digits, since every number of the page's table is checked.
        run: gives the two numbers; None where the fault is a name of TensorFlow's interface, with nothing to run here.
    """

    number: int
    name: str
    measure: str
    run: Callable[[], Compared] | None

    def compared(self) -> Compared | None:
        """Run it; the same numbers every time, and the caller's random streams are left alone."""
        if self.run is None:
            return None
        with tensors.isolated(0, "fault", self.number):
            return self.run()


FAULTS: dict[int, Fault] = {}


def fault(number: int, name: str, measure: str) -> Callable[[Callable[[], Compared]], Callable[[], Compared]]:
    """Register the decorated run."""

    def registered(run: Callable[[], Compared]) -> Callable[[], Compared]:
        FAULTS[number] = Fault(number, name, measure, run)
        return run

    return registered


def not_run(number: int, name: str, why: str) -> None:
    """Register a fault that nothing in torch corresponds to."""
    FAULTS[number] = Fault(number, name, why, None)
