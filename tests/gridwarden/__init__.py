"""Tests of the composition layer."""
