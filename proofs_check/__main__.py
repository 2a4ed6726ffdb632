"""``python -m proofs_check certificate FILE...``: verify exact certificates.

Exit status: 0 every file is proved; 1 some file is refuted, that is, it breaks a rule of its proof; 2 a file or the
call is wrong, with one line on standard error. The worst of several files counts.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .certificates import verify_file

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with the given arguments, or those of the process; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names are arbitrary text, and the terminal may know few letters
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return _certificate(arguments.files, arguments.json)
    except OSError as error:  # of standard output: trouble with a file is in its report
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader, as `head`, has seen enough
            return 141
        _complain(f"error: cannot write: {error.strerror}")
        return 2
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130


def _certificate(files: Sequence[str], as_json: bool) -> int:
    reports = []
    for file in files:
        report = verify_file(file)
        reports.append(report)
        if report.verdict == "malformed":
            _complain(f"error: {report}")
        elif not as_json:
            print(report, flush=True)
    if as_json:
        print(json.dumps({"certificates": [report.to_dict() for report in reports]}, indent=2), flush=True)
    return max(report.status for report in reports)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        _complain(f"error: {message}; see {self.prog} --help")
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="proofs_check", description="Check proofs about next-token prediction, independently.")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    certificate = commands.add_parser(
        "certificate",
        help="verify exact certificates",
        description="Verify exact certificates in integer arithmetic. Exit status: 0 proved, 1 refuted, 2 malformed.",
    )
    certificate.add_argument("files", metavar="FILE", nargs="+", help="a certificate in JSON")
    certificate.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _complain(message: str) -> None:
    line = " ".join(f"proofs_check: {message}".split())
    print(line.encode("ascii", "backslashreplace").decode(), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
