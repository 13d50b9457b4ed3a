"""A simulated community: what its devices would say over a day, and what is planted in it.

The model is deterministic from a seed and reads no clock (`city` is where to begin); `publish` is
the only part that speaks to a broker.
"""
