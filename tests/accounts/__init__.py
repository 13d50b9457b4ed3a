"""Accounts on the broker, and its TLS."""
