"""What the composition layer raises."""


class GridwardenError(Exception):
    """Base of this package's errors; the text says the value, the unit and the place."""


class NotMigratedError(GridwardenError):
    """The database lacks tables that this version needs."""


class InboxPortError(GridwardenError):
    """The inbox cannot listen where it should."""


class MigrationError(GridwardenError):
    """The database's migrations and this version's files do not fit together."""


class ShardError(GridwardenError):
    """A shard that there is not, or that does not fit what the database has."""
