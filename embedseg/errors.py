"""The error that a user can mend: one sentence that names the file, what is in it, the remedy."""


class InputError(ValueError):
    """Something about a file the user gave; the command line prints it without a traceback."""


def sentence_of(error: Exception) -> str:
    """Return what an error says, of one about a file without its number.

    >>> sentence_of(FileNotFoundError(2, "No such file or directory", "runs/a"))
    'runs/a: No such file or directory'
    """
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
