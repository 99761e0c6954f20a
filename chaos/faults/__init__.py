"""Faults other than kills: of the disk, the database, the clock, the sinks, and an end by signal.

Each is inflicted on a dialer under load, before the same witnesses and with the same checker as
kills are."""
