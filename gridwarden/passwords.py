"""Setting a member's password from the command line."""

from psycopg import AsyncConnection

from alerts.web.password import set_password


async def change(database_url: str, member: str, password: str) -> None:
    """Set the password of the member with this code; alerts.errors.AlertError if it cannot be."""
    async with await AsyncConnection.connect(database_url) as conn:
        await set_password(conn, member, password)
