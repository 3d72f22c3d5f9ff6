import pytest

from artcluster.images.policy import PixelPolicy


def test_the_id_changes_with_every_setting() -> None:
    policies = [
        PixelPolicy(),
        PixelPolicy(fit="crop"),
        PixelPolicy(decode="exact"),
        PixelPolicy(max_pixels=1_000_000),
        PixelPolicy(max_pixels=1_000_001),
    ]
    assert len({policy.policy_id for policy in policies}) == len(policies)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fit": "stretch"}, "fit must be one of squash, crop; got 'stretch'"),
        ({"decode": "fast"}, "decode must be one of exact, scaled"),
        ({"max_pixels": 0}, "max_pixels must be at least 1"),
        ({"version": 2}, "version must be 1"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PixelPolicy(**settings)  # type: ignore[arg-type]
