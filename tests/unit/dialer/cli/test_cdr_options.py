"""The options of `dialer cdrs`."""

from dataclasses import fields
from inspect import signature

from dialer.cli import cdr_options, cdrs
from dialer.histories import CdrQuery


def test_every_filter_has_its_option() -> None:
    """The client by its accountcode, the times as they are written, and one row by `--from-id`."""
    taken = set(signature(cdrs.export).parameters)
    written = {"client_id", "started_from", "started_until", "id", "project_number"}
    assert {f.name for f in fields(CdrQuery)} - taken == written
    assert {"client", "from_", "until", "hours", "zone"} <= taken


def test_every_option_says_what_it_does() -> None:
    metadata = [
        option
        for name, alias in vars(cdr_options).items()
        if name[0].isupper()
        for option in getattr(alias, "__metadata__", ())
    ]
    assert len(metadata) == len(signature(cdrs.export).parameters)
    assert all(option.help for option in metadata)
