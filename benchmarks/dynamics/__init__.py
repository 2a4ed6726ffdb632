"""How many steps of gradient descent a second, beside a loop that anyone would write and the products it must make.

``python -m benchmarks.dynamics`` measures and writes docs/benchmarks_dynamics.md.
"""

import os

# before numpy and torch start: one thread, so that ratios tell of the code and not of the machine
os.environ.setdefault("OMP_NUM_THREADS", "1")
