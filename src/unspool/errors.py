"""The one exception that Unspool raises on purpose."""


class UnspoolError(Exception):
    """A mistake that the user can mend, said in one line.

    The message repeats what was given and says what was expected. The command line prints it and
    exits with status 2; everything else that is raised is a defect of Unspool.
    """
