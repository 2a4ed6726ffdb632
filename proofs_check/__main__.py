"""``python -m proofs_check [LABEL...]`` decides statements, ``... certificate FILE...`` checks certificates.

Exit status: 0 everything is as recorded, or proved; 1 some verdict differs from the recorded one, or a certificate
breaks a rule of its proof; 2 a file or the call is wrong, with one line on standard error. The worst counts.
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
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:1] == ["certificate"]:
            arguments = _certificate_parser().parse_args(words[1:])
            return _certificate(arguments.files, arguments.json)
        arguments = _parser().parse_args(words)
        return _statements(arguments.labels, arguments.json, arguments.processes)
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


def _statements(wanted: Sequence[str], as_json: bool, processes: int) -> int:
    from . import registry, table  # here: certificates are checked with nothing but Python

    known, meant = registry.labels(), set()
    for word in wanted or [""]:
        matching = [word] if word in known else [label for label in known if label.startswith(word)]
        if not matching:
            _complain(f"error: LABEL is {word!r}; it must be the label of a statement or the beginning of one")
            return 2
        meant.update(matching)
    chosen = [label for label in known if label in meant]
    if not (as_json or wanted):
        print(table.heading(), flush=True)
    reports = []
    for report in table.run(chosen, processes):
        reports.append(report)
        if not as_json:
            print(table.details(report) if wanted else table.line(report), flush=True)
    if as_json:
        print(json.dumps({"statements": [report.to_dict() for report in reports]}, indent=2), flush=True)
    else:
        print(table.summary(reports))
    return 0 if all(report.as_recorded for report in reports) else 1


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        _complain(f"error: {message}; see {self.prog} --help")
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="proofs_check",
        description="Decide the statements of the theory of next-token prediction by computation.",
        epilog="`proofs_check certificate FILE...` checks certificates instead; see `proofs_check certificate --help`.",
    )
    parser.add_argument("labels", metavar="LABEL", nargs="*", help="a label or the beginning of one; all if none")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--processes", type=_positive, default=os.cpu_count(), help="how many at once (default: cores)")
    return parser


def _certificate_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="proofs_check certificate",
        description="Verify exact certificates in integer arithmetic. Exit status: 0 proved, 1 refuted, 2 malformed.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a certificate in JSON")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _positive(word: str) -> int:
    if not word.isascii() or not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"it must be a positive whole number, not {word!r}")
    return int(word)


def _complain(message: str) -> None:
    line = " ".join(f"proofs_check: {message}".split())
    print(line.encode("ascii", "backslashreplace").decode(), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
