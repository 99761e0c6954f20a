"""Replays recorded AMI traffic through production's tracker and CDR builder; pure but for files."""
