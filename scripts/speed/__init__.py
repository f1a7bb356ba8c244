"""What makes generation and training fast on a CPU. Each module states how its results compare with plain code."""
