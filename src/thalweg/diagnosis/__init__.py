"""Why a descent went as it did, and a setting that works."""

from thalweg.diagnosis.classification import Verdict
from thalweg.diagnosis.diagnosis import Diagnosis, explain

__all__ = ["Diagnosis", "Verdict", "explain"]
