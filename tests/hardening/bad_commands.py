"""The command line."""

from __future__ import annotations

from pathlib import Path

from .bad import DATA, Bad, Refused, command


def saved(folder: Path) -> Path:
    return DATA.save(folder / "data.npz")


def file(folder: Path, content: bytes) -> Path:
    path = folder / "a.txt"
    path.write_bytes(content)
    return path


COMMANDS = [
    Bad("no command", lambda _: command(), Refused, ("COMMAND",)),
    Bad("an unknown command", lambda _: command("prove-everything"), Refused, ("prove-everything",)),
    Bad("an unknown paper", lambda _: command("verify", "--paper", "é"), Refused, ("--paper", "é")),
    Bad("an unknown budget", lambda _: command("verify", "--budget", "endless"), Refused, ("--budget", "endless")),
    Bad("an unknown label", lambda _: command("claims", "--label", "no/such"), Refused, ("no/such",)),
    Bad("no text", lambda _: command("analyze"), Refused, ("TEXT",)),
    Bad("a text that is not there", lambda f: command("analyze", f / "no.txt"), Refused, ("no.txt",)),
    Bad("a text without a byte", lambda f: command("analyze", file(f, b"")), Refused, ("a.txt",)),
    Bad(
        "a text in another encoding",
        lambda f: command("analyze", file(f, "für".encode("latin-1"))),
        Refused,
        ("a.txt", "UTF-8"),
    ),
    Bad("a binary text", lambda f: command("analyze", file(f, b"a\0b c d")), Refused, ("a.txt",)),
    Bad(
        "contexts of no tokens",
        lambda f: command("analyze", file(f, b"to be or not"), "--context-length", "0"),
        Refused,
        ("--context-length", "0"),
    ),
    Bad("data that is not there", lambda f: command("svm", f / "no.npz"), Refused, ("no.npz", "no such file")),
    Bad(
        "a text for data",
        lambda f: command("svm", file(f, b"to be or not")),
        Refused,
        ("a.txt", "not a file of this library"),
    ),
    Bad("a folder for data", lambda f: command("descend", f), Refused, ("not a file",)),
    Bad("an unknown norm", lambda f: command("svm", saved(f), "--norm", "taxi"), Refused, ("norm", "taxi")),
    Bad(
        "an unknown method", lambda f: command("descend", saved(f), "--method", "magic"), Refused, ("--method", "magic")
    ),
    Bad("negative steps", lambda f: command("descend", saved(f), "--steps", "-5"), Refused, ("--steps", "-5")),
    Bad("a step size of NaN", lambda f: command("descend", saved(f), "--step-size", "nan"), Refused, ("step", "nan")),
    Bad("time in words", lambda f: command("flow", saved(f), "--log-time", "late"), Refused, ("--log-time", "late")),
    Bad("an unknown task", lambda _: command("train", "chess"), Refused, ("chess",)),
]
