"""Settings: from the environment only, all mistakes at once, and never a secret's value."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from fenta.chassis.settings import EX_CONFIG, IdentitySettings, Settings, StorageSettings, load


class Example(Settings, StorageSettings, IdentitySettings):
    """As a service has it: several sets, and a secret with a form of its own."""

    api_key: SecretStr | None = Field(None, min_length=8)


GOOD = {
    "HTTP_PORT": "8000",
    "ADMIN_PORT": "8001",
    "DATABASE_URL": "postgresql://u:p@h/d",
    "KAFKA_BOOTSTRAP_SERVERS": "one:9092, two:9092",
}


def environment(monkeypatch: pytest.MonkeyPatch, **given: str) -> None:
    for name in [*Example.model_fields, *(f"{field}_file" for field in Example.model_fields)]:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in (GOOD | given).items():
        monkeypatch.setenv(name, value)


def test_good_settings_load(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch)

    settings = load(Example)

    assert settings.http_port == 8000
    assert settings.kafka_servers == ["one:9092", "two:9092"]


def test_all_mistakes_are_told_at_once_without_any_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(
        monkeypatch, HTTP_PORT="eighty", KAFKA_BOOTSTRAP_SERVERS="nowhere", LOG_LEVEL="LOUD", API_KEY="hunter2",
        ADMIN_PORT="", DATABASE_URL="",
    )  # fmt: skip

    with pytest.raises(SystemExit) as end:
        load(Example)

    assert end.value.code == EX_CONFIG == 78
    told = capsys.readouterr().err
    names = {line.split(":")[0] for line in told.splitlines()}
    assert names == {"HTTP_PORT", "ADMIN_PORT", "DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "LOG_LEVEL", "API_KEY"}
    assert "host:port" in told
    assert "hunter2" not in told


def test_an_empty_setting_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, LOG_LEVEL="", S3_ENDPOINT_URL="", IDENTITY_PUBLIC_KEYS="", API_KEY="")

    settings = load(Example)

    assert settings.log_level == "INFO"
    assert settings.s3_endpoint_url is None
    assert settings.identity_public_keys is None
    assert settings.api_key is None


def test_a_setting_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a long secret\n")
    (tmp_path / "empty").write_text("\n")
    environment(monkeypatch, API_KEY_FILE=str(tmp_path / "key"), LOG_LEVEL_FILE=str(tmp_path / "empty"))

    settings = load(Example)

    assert settings.api_key == SecretStr("a long secret")
    assert settings.log_level == "INFO"


def test_the_variable_wins_over_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "level").write_text("ERROR")
    environment(monkeypatch, LOG_LEVEL="DEBUG", LOG_LEVEL_FILE=str(tmp_path / "level"))

    assert load(Example).log_level == "DEBUG"


def test_a_file_that_cannot_be_read_is_one_of_the_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment(monkeypatch, DATABASE_URL="", DATABASE_URL_FILE=str(tmp_path / "none"), HTTP_PORT="eighty")

    with pytest.raises(SystemExit) as end:
        load(Example)

    assert end.value.code == EX_CONFIG
    told = capsys.readouterr().err
    assert told.count("DATABASE_URL: ") == 1
    assert "cannot be read: No such file" in told
    assert "HTTP_PORT: " in told


def test_settings_do_not_change_and_do_not_show_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, API_KEY="a long secret")
    settings = load(Example)

    assert "secret" not in repr(settings.api_key)
    with pytest.raises(ValueError, match="frozen"):
        settings.http_port = 1
