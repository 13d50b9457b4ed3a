"""The inbox, against a real database."""
