import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dialer.delivery.signing import derive_secret, show_secret, sign
from tests.unit.dialer.delivery.samples import NOW

KEY, INSTALLATION = b"k" * 64, b"i" * 32
BODY = '{"event_type":"call_completed","name":"Zoë"}'.encode()


def secret(client_id: int = 7, version: int = 1) -> bytes:
    return derive_secret(KEY, INSTALLATION, client_id, version)


def headers(*secrets: bytes, body: bytes = BODY) -> dict[str, str]:
    return sign(secrets, "event-1", datetime.now(UTC).timestamp(), body)


def test_the_published_example() -> None:
    """The test vector of the specification's reference libraries."""
    made = sign(
        [base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330.9,
        b'{"test": 2432232314}',
    )
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_receivers_verify_it_with_the_published_library() -> None:
    webhook = Webhook(show_secret(secret()))
    assert webhook.verify(BODY, headers(secret()))["name"] == "Zoë"


@pytest.mark.parametrize("live", [1, 2])
def test_both_secrets_of_a_rotation_verify(live: int) -> None:
    signed = headers(secret(version=2), secret(version=1))
    assert len(signed["webhook-signature"].split()) == 2
    assert Webhook(show_secret(secret(version=live))).verify(BODY, signed)


def test_what_was_changed_or_made_by_others_does_not_verify() -> None:
    webhook = Webhook(show_secret(secret()))
    signed = headers(secret())
    for wrong in (
        headers(secret(client_id=8)),
        headers(secret(version=2)),
        signed | {"webhook-id": "event-2"},
        signed | {"webhook-timestamp": str(int(NOW))},
        headers(secret(), body=BODY + b" "),
    ):
        with pytest.raises(WebhookVerificationError):
            webhook.verify(BODY, wrong)


def test_every_part_makes_another_secret() -> None:
    made = {
        secret(),
        secret(client_id=8),
        secret(version=2),
        secret(client_id=71, version=1),
        secret(client_id=7, version=11),
        derive_secret(b"other" * 8, INSTALLATION, 7, 1),
        derive_secret(KEY, b"j" * 32, 7, 1),
    }
    assert len(made) == 7
    assert {len(one) for one in made} == {32}
    assert secret() == secret()


def test_a_secret_is_shown_as_libraries_take_it() -> None:
    shown = show_secret(secret())
    assert shown.startswith("whsec_")
    assert base64.b64decode(shown.removeprefix("whsec_")) == secret()
