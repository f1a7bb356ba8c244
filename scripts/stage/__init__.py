"""What every stage needs: files that are never half-written, screen output, and a record of its environment."""
