"""What time it is where the data is: the same for all who ask."""

import time

from tests.conformance.store.conftest import Stored


async def test_a_stores_clock_is_its_machines(stored: Stored) -> None:
    before = time.time()
    first = await stored.store.read_clock()
    second = await stored.store.read_clock()
    after = time.time()
    assert before - 0.01 <= first <= second <= after + 0.01
