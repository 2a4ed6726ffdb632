"""The command line: ``ntp-theory verify | analyze | svm | descend | flow | claims``.

Exit status: 0 everything held; 1 something did not hold (for ``svm``: the data has no separating direction); 2 the call
or the input was wrong, with one line on standard error; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from . import claims, construct
from ._version import __version__
from .claims import PAPERS
from .commands import run_analyze, run_claims, run_descend, run_flow, run_svm, run_train, run_verify, show
from .descent import METHODS
from .errors import NTPError, UsageError
from .margin.norms import NAMES
from .sequence.models.fitting import ARCHITECTURES
from .sequence.tasks.path_star.encoding import ENCODINGS

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of the process if not given.

    Returns
    -------
    int
        The exit status.

    Examples
    --------
    >>> main(["claims", "--label", "bias/erratum-E13"])
    bias/erratum-E13  exact ...
    0
    """
    try:
        arguments = _parser().parse_args(argv)
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except BrokenPipeError:  # the reader, as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (NTPError, OSError) as error:
        show("")
        print(f"ntp-theory: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        show("")
        print("ntp-theory: interrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others: one line, no usage around it."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ntp-theory", description="Where next-token training must end up, and a proof for it.")
    parser.add_argument("--version", action="version", version=f"ntp-theory {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = _command(commands, "verify", run_verify, "check the claims of the theory, one line a check")
    _choice_of_claims(command)
    command.add_argument(
        "--budget", choices=claims.BUDGETS, default="quick", help="how much to compute (default: quick)"
    )
    _out(command, "report.html and checks.json")

    command = _command(commands, "analyze", run_analyze, "what training on a text must end in, by name")
    text = command.add_mutually_exclusive_group(required=True)
    text.add_argument("text", metavar="TEXT", nargs="?", help="a UTF-8 file, or - for standard input")
    text.add_argument("--documentation", action="store_true", help="the text of Python's own documentation")
    command.add_argument(
        "--model", metavar="FOLDER",
        help="a causal language model with its tokenizer, as Hugging Face saves them: embed contexts by what its last "
        "layer reads, and hold its own head against the limit",
    )  # fmt: skip
    command.add_argument("--tokenizer", choices=construct.TOKENIZERS, default="word", help="default: word")
    command.add_argument(
        "--context-length", metavar="N", type=_whole(1), default=2, help="tokens in a context (default: 2)"
    )
    command.add_argument(
        "--embedding", choices=("random", "additive"), default="random",
        help="of a context: its own random vector, or the sum of those of its tokens (default: random)",
    )  # fmt: skip
    command.add_argument("--dim", metavar="D", type=_whole(1), default=64, help="of the embeddings (default: 64)")
    command.add_argument(
        "--vocab-size", metavar="N", type=_whole(2), default=500, help="most frequent tokens kept (default: 500)"
    )
    command.add_argument(
        "--max-contexts", metavar="N", type=_whole(1), default=1000,
        help="most frequent contexts kept (default: 1000)",
    )  # fmt: skip
    command.add_argument(
        "--steps", metavar="N", type=_whole(1), help="gradient steps (default: 100 to 10000, by the size of the data)"
    )
    command.add_argument(
        "--exact", action="store_true", help="prove the answers in rational arithmetic too, as far as their size allows"
    )
    _out(command, "data.npz, analysis.json, report.html and, with --exact, certificates/")

    command = _command(commands, "svm", run_svm, "the max-margin direction of a saved dataset, certified")
    command.add_argument("data", metavar="DATA.npz", help="written by NTPDataset.save, or by analyze --out")
    command.add_argument("--method", choices=("auto", "dual", "cvxpy"), default="auto", help="default: auto")
    command.add_argument(
        "--norm", metavar="NORM", default="frobenius",
        help=f"{', '.join(NAMES)}, or entrywise-P, schatten-P, tokenwise-P (default: frobenius)",
    )  # fmt: skip
    command.add_argument(
        "--refine", action="store_true", default=None, help="more digits than a double holds, within 1e-10, or an error"
    )
    _out(command, "svm.npz")

    command = _command(commands, "descend", run_descend, "a gradient method on a saved dataset, against its prediction")
    command.add_argument("data", metavar="DATA.npz", help="written by NTPDataset.save, or by analyze --out")
    command.add_argument(
        "--method", choices=METHODS, default="gd", help=f"{', '.join(METHODS)} (default: gd)", metavar="NAME"
    )
    command.add_argument("--steps", metavar="N", type=_whole(0), default=10_000, help="default: 10000")
    command.add_argument(
        "--step-size", metavar="ETA", type=float, help="default: the method's own, one over the smoothness bound for gd"
    )
    command.add_argument("--checkpoint", metavar="FILE", help="save the run there as it goes, and go on from it")
    _out(command, "trajectory.npz")

    command = _command(
        commands, "flow", run_flow, "gradient flow on a saved dataset to any time, against its prediction"
    )
    command.add_argument("data", metavar="DATA.npz", help="written by NTPDataset.save, or by analyze --out")
    command.add_argument(
        "--log-time", metavar="S", type=float, default=1e4, help="natural logarithm of the time (default: 10000)"
    )
    _out(command, "trajectory.npz")

    command = _command(commands, "train", run_train, "a sequence model on a task whose answer is known")
    command.add_argument("task", choices=("path-star",), help="find the way from the centre of a star to a leaf")
    command.add_argument("--degree", metavar="D", type=_whole(2), default=2, help="arms of a graph (default: 2)")
    command.add_argument(
        "--path-length", metavar="L", type=_whole(2), default=5, help="nodes of an arm with the centre (default: 5)"
    )
    command.add_argument("--num-nodes", metavar="N", type=_whole(1), help="labels (default: as many as a graph has)")
    command.add_argument("--encoding", choices=ENCODINGS, default="edge-packed", help="default: edge-packed")
    command.add_argument(
        "--objective", choices=("teacher-forcing", "teacherless", "reversed"), default="teacher-forcing",
        help="default: teacher-forcing",
    )  # fmt: skip
    command.add_argument("--model", choices=ARCHITECTURES, default="transformer", help="default: transformer")
    command.add_argument("--layers", metavar="N", type=_whole(1), help="default: as many as the path has nodes")
    command.add_argument("--steps", metavar="N", type=_whole(1), default=2000, help="of 128 graphs (default: 2000)")
    command.add_argument("--until", metavar="A", type=float, help="stop at this accuracy of whole answers")
    command.add_argument("--seed", metavar="N", type=_whole(0), default=0, help="of weights and graphs (default: 0)")
    command.add_argument("--checkpoint", metavar="FILE", help="save the run there as it goes, and go on from it")
    _out(command, "training.npz and accuracies.png")

    command = _command(commands, "claims", run_claims, "every statement that is checked")
    _choice_of_claims(command)
    return parser


def _command(
    commands: argparse._SubParsersAction[_Parser], name: str, run: Callable[[argparse.Namespace], int], words: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    command.add_argument("--json", action="store_true", help="one JSON document on standard output")
    command.set_defaults(run=run)
    return command


def _choice_of_claims(command: argparse.ArgumentParser) -> None:
    command.add_argument("--paper", choices=(*PAPERS, "all"), default="all", help="whose claims (default: all)")
    command.add_argument("--label", metavar="PREFIX", default="", help="only claims whose label starts so")


def _out(command: argparse.ArgumentParser, files: str) -> None:
    command.add_argument("--out", metavar="DIR", help=f"folder to write {files} to")


def _whole(least: int) -> Callable[[str], int]:
    """Type of an argument: a whole number that is not too small."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"is {text!r}; it must be a whole number >= {least}")
        return number

    return convert
