"""Is this critic read as it was trained, does it tell real from fake, and what can explain it?"""

from ganexplain.evaluation.doctor.examination import Examination, examine
from ganexplain.evaluation.doctor.finding import Finding

__all__ = ["Examination", "Finding", "examine"]
