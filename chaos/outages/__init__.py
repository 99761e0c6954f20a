"""Campaigns in which a real Asterisk is stopped, killed, restarted and frozen while calls are live,
alone and together with the dialer. `python -m chaos.outages --help`."""
