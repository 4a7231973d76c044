"""The one exception for what a user can mend: it prints as a line, never as a traceback."""


class InputError(ValueError):
    """Bad input, named in one line: what is wrong, where, and what to do about it.

    The command line prints it after `error:` and exits with code 2. Everything else that is raised is a bug.
    """
