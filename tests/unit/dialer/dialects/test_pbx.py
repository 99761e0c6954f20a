import json

from dialer.dialects.pbx import write_pbx
from tests.unit.dialer.delivery.samples import make_cdr
from tests.unit.dialer.dialects.samples import HANOI


def test_a_record_is_json() -> None:
    record = write_pbx(make_cdr(), HANOI)
    assert json.loads(json.dumps(record)) == record
