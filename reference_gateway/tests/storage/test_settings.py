from pathlib import Path

import pytest

from reference_gateway.config import ConfigError, load
from reference_gateway.operations.demo import demo_config
from reference_gateway.storage.settings import Servers

URL = "postgresql://gateway:not-to-be-seen@db.example:5432/gateway"


def servers(folder: Path, text: str, **environ: str) -> Servers:
    file = demo_config("http://127.0.0.1:9", folder).config
    file.write_text(f"[storage]\n{text}\n{file.read_text()}")
    config = load(file, environ)
    assert "not-to-be-seen" not in repr(config)
    return config.servers


def test_without_it_one_process_keeps_everything(tmp_path: Path) -> None:
    assert servers(tmp_path, "") == Servers()


def test_urls_come_from_the_environment_a_file_or_without_a_password_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "redis-url").write_text("redis://:not-to-be-seen@cache.example/0\n")
    found = servers(tmp_path, 'database_env = "DB"\nredis_file = "redis-url"\ndead_after_ms = 5000', DB=URL)
    assert (found.database, found.redis, found.dead_after_ms) == (URL, "redis://:not-to-be-seen@cache.example/0", 5000)
    assert servers(tmp_path, 'database = "postgres://db.example/gateway"').database == "postgres://db.example/gateway"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('database_env = "DB"', 2, "DB, which is not set"),
        (f'database = "{URL}"', 2, "holds a password"),
        (f'database = "{URL}"\ndatabase_env = "OTHER"', 2, "give one"),
        ('\ndatabase = "mysql://db.example/gateway"', 3, "postgresql://user:password@host:port/database"),
        ('database = "postgresql://[:not-to-be-seen/gateway"', 2, "no URL of the kind"),
        ('database_env = "OTHER"', 2, "no URL of the kind"),
        ('redis = "redis://cache.example/0"', 2, "add database_env"),
        ('database = "postgresql://db.example/gateway"\nredis = "cache.example"', 3, "redis://:password@host:port/0"),
        ("dead_after_ms = 10", 2, "1000 or more"),
        ("cache = 1", 2, "unknown key cache"),
    ],
)
def test_an_error_names_the_line_and_never_the_url(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        servers(tmp_path, text, OTHER="not-to-be-seen")
    assert f":{line}: " in str(refused.value)
    assert says in str(refused.value)
    assert "not-to-be-seen" not in str(refused.value)
