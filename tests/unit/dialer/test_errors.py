"""Errors carry what the one who must act needs."""

from dialer.errors import FieldError, Refused


def test_refused_keeps_every_error_and_reads_as_one_line() -> None:
    errors = [FieldError(f"field{n}", "is wrong", index=n) for n in range(8)]
    refused = Refused(errors)
    assert refused.errors == errors
    assert str(refused).startswith("field0: is wrong; field1: is wrong")
    assert "field7" not in str(refused)
