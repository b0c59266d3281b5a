"""The error that a user can mend: one sentence that names the file, what is in it, the remedy."""


class InputError(ValueError):
    """Something about a file the user gave; the command line prints it without a traceback."""
