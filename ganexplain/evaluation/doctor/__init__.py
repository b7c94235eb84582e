"""Is a critic read as it was trained, does it tell real from fake, what can explain it; does a generator draw?"""

from ganexplain.evaluation.doctor.examination import Examination, examine
from ganexplain.evaluation.doctor.finding import Finding
from ganexplain.evaluation.doctor.generators import examine_generator
from ganexplain.evaluation.doctor.repair import Repair, repair, repair_generator

__all__ = ["Examination", "Finding", "Repair", "examine", "examine_generator", "repair", "repair_generator"]
