"""Tokens over the API's own store."""

from typing import Any

import pytest
from fastapi import Request

from dialer.access_tokens import LIFETIME, Token, derive_key, write_token
from dialer.api.answers import ApiError
from dialer.api.tokens import identify_holder, issue_token
from dialer.keys import find_lookup
from dialer.signing_key import load_signing_key
from tests.unit.dialer.api.conftest import BOOTSTRAP, NOW, Api


def make_request(api: Api) -> Request:
    scope: dict[str, Any] = {"type": "http", "app": api.app, "headers": [], "query_string": b""}
    return Request(scope)


async def test_a_token_names_its_client_until_it_ends(api: Api) -> None:
    request = make_request(api)
    token = await issue_token(request, api.keys["alpha"])
    assert (await identify_holder(request, token)).accountcode == "alpha"
    api.clock.at = NOW + LIFETIME
    with pytest.raises(ApiError, match="Token expired"):
        await identify_holder(request, token)


async def test_a_key_is_taken_too(api: Api) -> None:
    request = make_request(api)
    assert (await identify_holder(request, api.keys["beta"])).accountcode == "beta"
    for credential in (None, "", "wrong"):
        with pytest.raises(ApiError, match="Invalid API key"):
            await identify_holder(request, credential)


async def test_the_bootstrap_key_gets_none(api: Api) -> None:
    with pytest.raises(ApiError, match="Invalid API key"):
        await issue_token(make_request(api), BOOTSTRAP)


async def test_a_token_signed_with_the_databases_secret_alone_is_none(api: Api) -> None:
    request = make_request(api)
    lookup = find_lookup(api.keys["alpha"])
    assert lookup is not None
    secret = await api.store.installation_secret()
    wanted = Token(lookup, int(NOW) + 60)
    right = derive_key(load_signing_key(api.app.state.deps.settings), secret)
    assert (await identify_holder(request, write_token(wanted, right))).accountcode == "alpha"
    for key in (derive_key(secret, secret), secret, derive_key(b"", secret)):
        with pytest.raises(ApiError, match="Invalid token"):
            await identify_holder(request, write_token(wanted, key))
