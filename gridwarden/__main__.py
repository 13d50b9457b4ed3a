"""`python -m gridwarden` is `gridwarden`."""

from gridwarden.cli import app

app()
