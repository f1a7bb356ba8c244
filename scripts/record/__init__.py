"""The published record: its layout, checksums and provenance, and how its numbers are recomputed."""
