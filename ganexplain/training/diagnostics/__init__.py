"""Is a training going well? One question a file, answered from what the run has written down.

Each diagnostic measures a statistic that does not depend on the scale of the discriminator's output, which has no
absolute meaning in the relativistic and the Wasserstein game. Its thresholds were chosen on sabotaged runs and on
healthy ones: ``python -m benchmarks.sabotage``.
"""

from ganexplain.training.diagnostics._health import DIAGNOSTICS, Health, examine
from ganexplain.training.diagnostics._history import Facts, History
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge, Reading

__all__ = ["DIAGNOSTICS", "Diagnostic", "Facts", "Gauge", "Health", "History", "Reading", "examine"]
