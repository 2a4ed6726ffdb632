"""What is measured: which contestants on which instances, with which limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .contestants import CONTESTANTS, OURS
from .instances import INSTANCES

__all__ = ["SUITES", "Job"]

# The fastest in the comparison up to V = m = 200; larger instances take minutes for these, hours for others.
FASTEST = ("PIQP/logits", "PIQP/weights", "OSQP/dual", "OSQP-polish/dual", "OSQP/logits", "Clarabel/logits")


@dataclass(frozen=True)
class Job:
    """A contestant on an instance, with a limit in seconds for one solve."""

    instance: str
    contestant: str
    limit: float = 60.0
    threads: int = 1
    device: str = "cpu"


def _jobs(families: Iterable[str], contestants: Iterable[str], **options: float) -> list[Job]:
    chosen = [name for name, instance in INSTANCES.items() if instance.family in families]
    return [Job(instance, contestant, **options) for instance in chosen for contestant in contestants]


_FEASIBLE = ("text", "nearly inseparable", "learned", "spectrum", "one-hot")
_SIZES = [job for job in _jobs(("random",), CONTESTANTS) if job.instance != "random-400"]

SUITES: dict[str, list[Job]] = {
    "sizes": [
        *_SIZES,
        *(Job("random-400", contestant, limit=1200.0) for contestant in (*OURS, *FASTEST)),
    ],
    "families": _jobs(_FEASIBLE, CONTESTANTS),
    "infeasible": _jobs(("infeasible",), CONTESTANTS),
    "growth": _jobs(("growth in V", "growth in m", "growth in d"), (*OURS, *FASTEST[:3]), limit=300.0),
    "large": [Job("large", contestant, limit=300.0, threads=2) for contestant in OURS],
    "gpu": [Job("gpt-2-vocabulary", contestant, limit=3600.0, threads=16, device="cuda") for contestant in OURS],
}
