"""What every stage needs: files that are never half written, the screen, and the environment that it runs in."""
