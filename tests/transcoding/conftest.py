import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from django.conf import LazySettings
from moto.server import ThreadedMotoServer

from tests.transcoding import sounds
from transcoding import storage


@pytest.fixture(scope="session")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two-second files in every container that is taken."""
    folder = tmp_path_factory.mktemp("audio")
    plain = sounds.write_wav(folder / "plain.wav")
    deep = sounds.write_wav(folder / "deep.wav", rate=48000, bits=24)
    sounds.convert(plain, folder / "plain.flac")
    sounds.convert(deep, folder / "deep.flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24")
    sounds.convert(plain, folder / "plain.aiff")
    sounds.convert(plain, folder / "plain.m4a", "-c:a", "alac")
    sounds.convert(plain, folder / "aac.m4a", "-c:a", "aac")
    sounds.convert(plain, folder / "plain.ogg", "-c:a", "libvorbis", "-q:a", "5")
    sounds.convert(plain, folder / "plain.opus", "-c:a", "libopus")
    sounds.convert(plain, folder / "plain.mp3", "-c:a", "libmp3lame", "-q:a", "2")
    sounds.convert(plain, folder / "plain.wv")
    return folder


@pytest.fixture(autouse=True)
def audio_home(settings: LazySettings, tmp_path: Path) -> Path:
    """Every test has a store of its own."""
    settings.HOME = tmp_path / "home"
    settings.AUDIO_ROOT = settings.HOME / "audio"
    return tmp_path


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of the size that the test names; only root may have one."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(path)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root can mount a small disk, and not in every container")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that nobody should ever ask anything."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket(settings: LazySettings) -> Iterator[str]:
    """An S3 that several machines share."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings.AUDIO_BUCKET, settings.S3_ENDPOINT_URL = "shared", f"http://{host}:{port}"
    settings.S3_ACCESS_KEY = settings.S3_SECRET_KEY = "key"
    client = boto3.client(
        "s3",
        endpoint_url=settings.S3_ENDPOINT_URL,
        aws_access_key_id="key",
        aws_secret_access_key="key",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="shared")
    yield "shared"
    client.close()
    server.stop()
    storage._client_at.cache_clear()
