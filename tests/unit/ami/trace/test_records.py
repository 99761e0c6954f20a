from ami.errors import AmiError
from ami.trace import Direction, Record, TraceError


def test_marks_are_those_of_the_file() -> None:
    assert [direction.value for direction in Direction] == ["<", ">", "*"]


def test_records_are_values_and_errors_are_the_package_s() -> None:
    assert Record(1.0, Direction.SENT, b"x") == Record(1.0, Direction(">"), b"x")
    assert issubclass(TraceError, AmiError)
