"""The NTP-SVM: the minimum-norm separating direction, its dual, and the certificate of every answer."""

from .batch import solve_svms
from .norms import Norm
from .path import solve_svm_path
from .shares import margin_share
from .solution import SVMSolution
from .svm import solve_svm

__all__ = ["Norm", "SVMSolution", "margin_share", "solve_svm", "solve_svm_path", "solve_svms"]
