"""`rules.testing`: the notation, reading, playing and comparing of rule tests."""
