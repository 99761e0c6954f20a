import pytest

from ami.trace.redaction import mask_secrets


@pytest.mark.parametrize("header", ["Secret", "secret", "SECRET", "Key", "AuthSecret"])
def test_no_secret_is_kept(header: str) -> None:
    sent = f"Action: Login\r\nUsername: dialer\r\n{header}: hush: hush\r\nEvents: on\r\n\r\n"
    masked = mask_secrets(sent.encode())
    assert b"hush" not in masked
    assert (
        masked
        == f"Action: Login\r\nUsername: dialer\r\n{header}: ***\r\nEvents: on\r\n\r\n".encode()
    )


def test_nothing_else_is_touched() -> None:
    sent = b"Action: Originate\r\nChannel: PJSIP/1@key\r\nVariable: SECRET=1\r\n\r\n"
    assert mask_secrets(sent) == sent
