"""Wirings of critics and generators, right and broken in known ways."""

from benchmarks._doctor.critics import CRITICS
from benchmarks._doctor.makers import GENERATORS

WIRINGS = (*CRITICS, *GENERATORS)

__all__ = ["WIRINGS"]
