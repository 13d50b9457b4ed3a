"""A simulated community: what its devices would say over a day, and what is planted in it.

The model (`message`, `rhythm`, `habits`, `incidents`, `faults`, `city`) is deterministic from a
seed and reads no clock; `publish` is the only part that speaks to a broker.
"""
