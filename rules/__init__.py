"""What is true: rule files, the plan, the state and the one evaluator. Pure: no I/O, no clock."""
