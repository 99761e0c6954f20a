"""Measurements. Each file says in its first lines what it measures and how to run it."""
