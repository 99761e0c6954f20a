"""The scripts' texts."""

import pytest

from dialer.coordination.scripts import Script, read_script


@pytest.mark.parametrize("script", Script)
def test_every_script_looks_at_the_epoch_first(script: Script) -> None:
    text = read_script(script)
    assert text.startswith("-- What every script begins with.")
    own = text.partition("local function put(")[2]
    assert "judge()" in own or "'epoch', 'id', 'run'" in own, "none acts before it looked"
