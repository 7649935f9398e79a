"""What the benchmarks share: synthetic examples, the model they run through, and the counting of its work."""
