"""The published record: what it holds, its checksums, where its numbers come from, and how they are recomputed."""
