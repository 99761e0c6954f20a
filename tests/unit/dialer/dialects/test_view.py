from dialer.dialects import CdrMapping, Shape


def test_words_that_users_type() -> None:
    assert [shape.value for shape in Shape] == ["native", "default", "flex", "ozonetel", "pbx"]
    assert [mapping.value for mapping in CdrMapping] == ["default", "flex"]
