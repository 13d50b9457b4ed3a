"""Tests of rules: what devices say, and the alerts that must come of it."""
