"""Every exception that Darwin raises on purpose.

The tree, with the exit code of the command line beside each branch:

* DarwinError
  x RequestError ............................ 2  what was asked for cannot be done as asked
    - DataError                                  a data set is unreadable, empty or does not fit its schema
    - NetworkError                               a network file is unreadable or cannot be handled
      . UnsafeNetworkError                       it could execute code while loading
    - BindingError                               the data's columns do not fit the network's inputs
    - RequirementError                           a requirement is malformed or names an unknown metric
  x StorageError ............................ 1  the object store did not do what was asked
    - ObjectNotFoundError
    - BucketNotFoundError
    - AccessDeniedError
    - WrongRegionError
    - EndpointUnreachableError
    - PreconditionFailedError                    somebody else wrote first
    - ConditionalWritesUnsupportedError          the store accepts conditions and ignores them
    - IntegrityError                             bytes differ from their recorded digest
  x StepError ............................... 1  a step could not finish
    - MissingExtraError                          an optional dependency is not installed

Results of a run (a rejected candidate, an unmet requirement) are data, never exceptions.
"""

__all__ = [
    "AccessDeniedError",
    "BindingError",
    "BucketNotFoundError",
    "ConditionalWritesUnsupportedError",
    "DarwinError",
    "DataError",
    "EndpointUnreachableError",
    "IntegrityError",
    "MissingExtraError",
    "NetworkError",
    "ObjectNotFoundError",
    "PreconditionFailedError",
    "RequestError",
    "RequirementError",
    "StepError",
    "StorageError",
    "UnsafeNetworkError",
    "WrongRegionError",
]


class DarwinError(Exception):
    """Base of all errors that Darwin raises on purpose.

    Args:
        message: What was expected and what came, as a sentence.
        hint: What to do about it, as a sentence.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message} {hint}")
        self.message = message
        self.hint = hint


class RequestError(DarwinError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class DataError(RequestError):
    """A data set is unreadable, empty or does not fit its schema."""


class NetworkError(RequestError):
    """A network file is unreadable or cannot be handled."""


class UnsafeNetworkError(NetworkError):
    """A network file could execute code while it is being loaded."""


class BindingError(RequestError):
    """The columns of the data do not fit the inputs of the network."""


class RequirementError(RequestError):
    """A requirement is malformed or names an unknown metric."""


class StorageError(DarwinError):
    """The object store did not do what was asked."""


class ObjectNotFoundError(StorageError):
    """No object lies at the URI."""


class BucketNotFoundError(StorageError):
    """The bucket does not exist."""


class AccessDeniedError(StorageError):
    """The credentials do not permit the operation."""


class WrongRegionError(StorageError):
    """The bucket lives in another region than the client's."""


class EndpointUnreachableError(StorageError):
    """Nothing answers at the endpoint."""


class PreconditionFailedError(StorageError):
    """A conditional write lost: somebody else wrote first."""


class ConditionalWritesUnsupportedError(StorageError):
    """The store accepts conditional writes and does not honour them."""


class IntegrityError(StorageError):
    """The bytes read differ from the recorded digest."""


class StepError(DarwinError):
    """A step could not finish."""


class MissingExtraError(StepError):
    """An optional dependency is not installed."""
