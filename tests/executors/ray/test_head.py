import stat

import pytest

from artcluster.executors.ray.head import make_token


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    return tmp_path


def test_a_token_is_made_once_and_for_its_owner_alone(home):
    make_token()
    path = home / ".ray" / "auth_token"
    token = path.read_text()
    assert len(token) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    make_token()
    assert path.read_text() == token
    assert [file.name for file in path.parent.iterdir()] == ["auth_token"]


def test_a_token_that_others_could_read_is_kept_from_them(home):
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("made by ray get-auth-token")
    path.chmod(0o644)
    make_token()
    assert path.read_text() == "made by ray get-auth-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_of_the_environment_is_enough(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "elsewhere"))
    make_token()
    assert not (home / ".ray").exists()
