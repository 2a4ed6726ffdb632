"""Exact certificates: statements about a dataset, each with a proof that needs nothing but integer arithmetic.

The format and the reasons why each proof proves its statement are in ``docs/certificates.md``. Nothing in here is
shared with the solvers that find the proofs.
"""

from .errors import MalformedError, RefutedError
from .verify import FORMAT, FORMAT_VERSION, Report, verify, verify_file

__all__ = ["FORMAT", "FORMAT_VERSION", "MalformedError", "RefutedError", "Report", "verify", "verify_file"]
