"""The NTP-SVM: the minimum-norm separating direction, its dual, and the certificate of every answer."""

from .solution import SVMSolution
from .svm import solve_svm

__all__ = ["SVMSolution", "solve_svm"]
