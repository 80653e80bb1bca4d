"""A zip whose files turn out altered or unreadable on the way breaks off, and nobody takes what came for the whole."""

import contextlib
import http.client
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from store import supervisor
from tests.platform.homes import ROOT, until
from transcoding import storage

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys(settings, tmp_path: Path) -> list[str]:
    """Three files of a megabyte in the store."""
    settings.HOME = tmp_path / "home"
    settings.AUDIO_ROOT = settings.HOME / "audio"
    made = []
    for number in range(3):
        path = tmp_path / "file"
        path.write_bytes(bytes([number]) * 1024 * 1024)
        made.append(storage.rendition_key(storage.sha256_of(path), "flac"))
        storage.put_file(made[-1], path)
    return made


@contextlib.contextmanager
def shop(home: Path) -> Iterator[int]:
    port = supervisor.free_port(0)
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if name != "CLEARSONG_EMBEDDED"}
    environment |= {"CLEARSONG_HOME": str(home), "CLEARSONG_THROWAWAY": "yes", "STRIPE_SECRET_KEY": "sk_test_tests"}
    environment["DJANGO_SETTINGS_MODULE"] = "store.settings"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "tests.web.cut_off:application"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        until(lambda: process.poll() is not None or answers(port))
        yield port
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), asked(port, "/nothing") as answer:
        return bool(answer.status)
    return False


@contextlib.contextmanager
def asked(port: int, address: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", address)
        yield connection.getresponse()


def test_a_zip_that_breaks_off_is_not_taken_for_a_whole_one(keys: list[str], settings) -> None:
    """Its length was announced, and fewer bytes come. The control comes first: a sound one arrives."""
    address = f"/zip?{urlencode({'key': keys}, doseq=True)}"
    kept: Path = settings.AUDIO_ROOT / keys[1]
    kept.chmod(0o644)
    with shop(settings.HOME) as port:
        with asked(port, address) as answer:
            whole = answer.read()
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) == 3
        for left in (kept.read_bytes()[:-1] + b"x", kept.read_bytes()[:300_000]):
            kept.write_bytes(left)
            with asked(port, address) as answer:
                assert int(answer.headers["Content-Length"]) == len(whole)
                with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                    answer.read()
