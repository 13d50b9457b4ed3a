"""Tests against the real TimescaleDB and the real Mosquitto."""
