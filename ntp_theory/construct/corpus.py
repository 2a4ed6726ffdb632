"""A real text that every Python installation carries: no download needed."""

from __future__ import annotations

from pydoc_data.topics import topics

from ..doors import whole

__all__ = ["documentation_text"]


def documentation_text(max_characters: int | None = None) -> str:
    """Python documentation behind ``help()``: all topics of `pydoc_data.topics`, sorted by name.

    About 460,000 characters of English with code; the text belongs to the running Python and differs between
    its versions.

    Parameters
    ----------
    max_characters : int, optional
        Length of the beginning to return; everything if not given.

    Returns
    -------
    str

    Raises
    ------
    UsageError
        If ``max_characters`` is not a whole number >= 1.

    Examples
    --------
    >>> documentation_text(20)
    'The "assert" stateme'
    """
    if max_characters is not None:
        max_characters = whole("max_characters", max_characters, at_least=1)
    return "\n".join(topics[name] for name in sorted(topics))[:max_characters]
