"""Errors of ingest."""


class IngestError(Exception):
    """Something went wrong between the broker and the committed row."""


class SourceError(IngestError):
    """The broker's address or the session's options cannot be used."""


class TooManyDaysError(IngestError):
    """The database cannot take so many days in one transaction."""


class UndecodableError(IngestError):
    """Decoding broke on a message, in a way that its payload formats do not foresee."""
