"""What the dialer may know of Asterisk."""

from ami.actions import Originate, assign
from ami.calls import CallTracker
from ami.causes import Disposition
from ami.reports import CallEffect, CallEnded, CallProgressed, CallReport, LegB, Progress
from ami.translate import WANTED, live_channels, translate

__all__ = [
    "WANTED",
    "CallEffect",
    "CallEnded",
    "CallProgressed",
    "CallReport",
    "CallTracker",
    "Disposition",
    "LegB",
    "Originate",
    "Progress",
    "assign",
    "live_channels",
    "translate",
]
