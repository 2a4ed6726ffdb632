"""Printed: Appendix A.2 starts from "random LeCun" weights, and item 7 of the checklist says "zero initialization".

The two accounts of one experiment differ. Nothing can be computed about it; the limits of gradient descent do not
depend on the start, what is seen after finitely many steps does.
"""

from __future__ import annotations

from ..statement import Statement

statement = Statement("bias/erratum-E16", source="2402.18551 A.2 vs checklist 7", verdict="documentation")
