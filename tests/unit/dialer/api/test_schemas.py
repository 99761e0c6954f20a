"""Answers that are not as described do not fit."""

from typing import Any

import pytest
from pydantic import ValidationError

from dialer.api import examples, schemas


@pytest.mark.parametrize(
    ("model", "content", "change"),
    [
        (schemas.ErrorAnswer, {"message": "Not found", "status": "error"}, {"status": "success"}),
        (schemas.ErrorAnswer, {"message": "Not found", "status": "error"}, {"detail": "more"}),
        (schemas.ErrorAnswer, {"message": "Not found", "status": "error"}, {"errors": []}),
        (schemas.ClientAnswer, examples.CLIENT_MADE, {"key_hash": "abc"}),
        (schemas.QueueListed, examples.QUEUE, {"queue_status": "flushed"}),
        (schemas.ItemListed, examples.ITEM, {"call_tried": -1}),
    ],
)
def test_what_is_not_described_does_not_fit(
    model: type[schemas.Shape], content: dict[str, Any], change: dict[str, Any]
) -> None:
    model.model_validate(content)
    with pytest.raises(ValidationError):
        model.model_validate(content | change)
