"""What makes generation and training fast on a CPU. Each module says how its results compare with plain code."""
