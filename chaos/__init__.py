"""Campaigns of faults: the product is killed at named places, and witnesses outside of it tell
whether a call was lost, repeated or forgotten. `python -m chaos --help`."""
