"""Vocabulary: readings, metrics, topics, areas, devices, and the payload formats they speak.

Everything here is a value or a pure function, except `registry` (SQL) and `simulator`.
"""
