"""What Unspool raises, and warns of, on purpose."""


class UnspoolError(Exception):
    """A mistake that the user can mend, said in one line.

    The message repeats what was given and says what was expected. An argument that is the way out
    is named in backticks, `time_steps`; the command line prints its flag instead, and exits with
    status 2. Everything else that is raised is a defect of Unspool.

    Attributes:
        reason: the cause alone, for a message that can say better where it lies; often empty.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class UnspoolWarning(UserWarning):
    """Something about what was given that is likely to make a bad network, said in one line.

    Python's `warnings` filter it; the command line prints it before any work is done.
    """
