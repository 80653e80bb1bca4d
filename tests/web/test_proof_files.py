"""Certificates as files: checked by anybody, offline, with our command, with our module alone, or without us."""

import base64
import io
import json
import re
import subprocess
import sys
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import Error
from django.test import Client

from store import certificates, embedded, papers, proofs, signing
from store.models import Certificate, SigningKey, User
from tests.factories import shelf

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def certificate(alice: User) -> Certificate:
    return shelf.sell(shelf.whole(shelf.shelve("First Light")), buyer=alice).lines.get().certificate


@pytest.fixture
def files(visitor: Client, certificate: Certificate, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and the keys, fetched as anybody would."""
    file, keys = tmp_path / "certificate.json", tmp_path / "keys.json"
    file.write_bytes(visitor.get(f"/certificates/{certificate.public_id}.json").content)
    keys.write_bytes(visitor.get("/proof/keys.json").content)
    return file, keys


def verify(*words: object) -> str:
    out = io.StringIO()
    call_command("certificates", "verify", *map(str, words), stdout=out)
    return out.getvalue()


# ---- what is signed ------------------------------------------------------------------------------------------------


def test_a_certificate_is_signed_when_it_is_issued_and_the_key_is_published(certificate: Certificate) -> None:
    key = SigningKey.objects.get()
    assert certificate.key == key
    signed = signing.read(certificates.file(certificate))
    assert signing.problems(signed, {key.key: key.public_bytes}) == []
    assert certificates.check(certificate) == []


def test_no_unsigned_certificate_can_be_written_any_more(certificate: Certificate) -> None:
    with pytest.raises(Error, match="store_certificate rows are never changed"), transaction.atomic():
        Certificate.objects.update(signature=None)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    with pytest.raises(Error, match="certificate_signed"), transaction.atomic():
        Certificate.objects.update(signature=None)


def test_a_certificate_from_before_signing_still_verifies(certificate: Certificate, visitor: Client) -> None:
    """Version 1: no type, no signature, the attribution as one line; the ledger carries its hash."""
    document = certificate.document
    for name in ("type", "territory_source"):
        document.pop(name, None)
    document["version"] = 1
    document["sale"].pop("at")
    for recording in document["recordings"]:
        recording["attribution"] = "First Light by Ana Lind"
    sha256 = certificates.sha256_of(document)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE payments_transfer SET document_sha256 = %s WHERE document_sha256 = %s", [sha256, certificate.sha256]
        )
    Certificate.objects.update(document=document, sha256=sha256, text=None, key=None, signature=None)
    old = Certificate.objects.get()
    assert certificates.check(old) == []
    answer = visitor.get(f"/certificates/{old.public_id}.json")
    assert signing.read(answer.content).sha256 == sha256
    assert "First Light by Ana Lind" in visitor.get(f"/certificates/{old.public_id}").content.decode()
    assert visitor.get(f"/certificates/{old.public_id}.pdf").content.startswith(b"%PDF")


def test_a_bad_key_stops_the_settlement_and_says_what_one_looks_like(settings: LazySettings, alice: User) -> None:
    settings.CERTIFICATE_KEY = "hunter2"
    with pytest.raises(signing.BadKey, match="openssl rand -base64 32"):
        shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)


def test_the_key_of_a_store_without_a_setting_is_kept_in_its_home_for_its_owner_alone(certificate: Certificate) -> None:
    kept = embedded.home() / "secrets" / "certificate_key"
    assert kept.stat().st_mode & 0o777 == 0o600
    public = signing.public_bytes(signing.private_key(kept.read_text()))
    assert signing.key_id(public) == SigningKey.objects.get().key


def test_a_new_key_signs_what_is_new_and_the_old_one_still_holds(
    settings: LazySettings, certificate: Certificate, alice: User, visitor: Client
) -> None:
    settings.CERTIFICATE_KEY = signing.fresh()
    later = shelf.sell(shelf.whole(shelf.shelve("Harbour")), buyer=alice).lines.get().certificate
    assert later.key != certificate.key
    assert certificates.check(certificate) == certificates.check(later) == []
    listed = json.loads(visitor.get("/proof/keys.json").content)["keys"]
    assert [each["key"] for each in listed] == [certificate.key.key, later.key.key]
    page = visitor.get("/proof/keys").content.decode()
    assert all(each["public"] in page for each in listed)


# ---- checking files ------------------------------------------------------------------------------------------------


def test_a_file_is_checked_with_the_keys_alone(files: tuple[Path, Path], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert "1 certificates checked, 0 do not hold" in verify(files[0], "--keys", files[1])


def test_a_file_is_checked_without_django_and_without_any_server(files: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "store.signing", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env={})
    assert "holds" in done.stdout
    files[0].write_bytes(files[0].read_bytes().replace(b'"DE"', b'"FR"'))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 1
    assert "is not that of this document" in done.stderr


def test_layout_does_not_matter_but_content_does(files: tuple[Path, Path]) -> None:
    file, keys = files
    file.write_text(json.dumps(json.loads(file.read_text()), indent=4))
    assert "0 do not hold" in verify(file, "--keys", keys)


def _change(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else f"{value}x"


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for name, each in value.items() for leaf in _leaves(each, (*path, name))]
    if isinstance(value, list):
        return [leaf for place, each in enumerate(value) for leaf in _leaves(each, (*path, place))]
    return [path]


def test_no_single_value_can_be_changed(certificate: Certificate) -> None:
    keys = proofs.public_keys()
    file = json.loads(certificates.file(certificate))
    paths = _leaves(file["signed"])
    assert len(paths) > 60
    for path in paths:
        changed = json.loads(json.dumps(file))
        place = changed["signed"]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = _change(place[path[-1]])
        assert signing.problems(signing.read(json.dumps(changed).encode()), keys), path


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b'"signed":', b'"signed":{},"signed":', "stands twice"),
        (b'"signatures":[', b'"signatures":[{"key":1},', "form of a signed file"),
        (b'"version":2', b'"version":NaN', "not a value of JSON"),
        (b"}", b"", "not a JSON document"),
        (b'"signatures":[{', b'"signatures":[],"x":[{', "carries no signature"),
    ],
)
def test_a_file_that_plays_tricks_is_refused_with_a_reason(
    files: tuple[Path, Path], before: bytes, after: bytes, said: str
) -> None:
    file, keys = files
    file.write_bytes(file.read_bytes().replace(before, after))
    out = io.StringIO()
    with pytest.raises(CommandError, match="do not hold"):
        call_command("certificates", "verify", str(file), "--keys", str(keys), stdout=out)
    assert said in out.getvalue()


def test_keys_that_are_not_their_names_are_refused(files: tuple[Path, Path]) -> None:
    """Otherwise another key could be slipped under a name that somebody trusts."""
    file, keys = files
    listed = json.loads(keys.read_text())
    listed["keys"][0]["public"] = base64.b64encode(b"x" * 32).decode()
    keys.write_text(json.dumps(listed))
    with pytest.raises(CommandError, match="does not have the public key"):
        verify(file, "--keys", keys)


def test_anothers_signature_does_not_count(files: tuple[Path, Path], certificate: Certificate) -> None:
    file, keys = files
    other = signing.private_key(signing.fresh())
    name = signing.key_id(signing.public_bytes(other))
    text = certificate.text.encode()
    file.write_bytes(signing.envelope(text, {name: signing.sign(text, other)}))
    with pytest.raises(CommandError):
        verify(file, "--keys", keys)


def test_a_head_is_no_certificate(files: tuple[Path, Path], certificate: Certificate, tmp_path: Path) -> None:
    row = proofs.sign_head(at=shelf.NOW)
    head = tmp_path / "head.json"
    head.write_bytes(signing.envelope(row.text.encode(), {row.key.key: row.signature}))
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("certificates", "verify", str(head), stdout=out)
    assert "not as a certificate" in out.getvalue()


def test_the_command_looks_up_ids_and_checks_all_where_none_is_given(certificate: Certificate) -> None:
    assert "1 certificates checked, 0 do not hold" in verify(certificate.public_id)
    assert "1 certificates checked, 0 do not hold" in verify()


def test_a_signature_that_was_swapped_shows(certificate: Certificate) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    Certificate.objects.update(signature=signing.sign(b"else", signing.private_key(signing.fresh())))
    assert any("signature" in problem for problem in certificates.check(Certificate.objects.get()))


# ---- the recipe of docs/proof.md -----------------------------------------------------------------------------------


def recipe() -> str:
    page = (ROOT / "docs" / "proof.md").read_text()
    found = re.search(r"## With public tools only\n.*?```sh\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def run_recipe(files: tuple[Path, Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-eu", "-c", recipe()], cwd=files[0].parent, capture_output=True, text=True, check=False
    )


def test_the_recipe_has_ten_lines_and_holds(files: tuple[Path, Path], certificate: Certificate) -> None:
    assert len([line for line in recipe().splitlines() if line and not line.startswith("#")]) <= 10
    done = run_recipe(files)
    assert done.returncode == 0, done.stderr
    assert certificate.sha256 in done.stdout
    assert "Signature Verified Successfully" in done.stdout
    assert '"territory": "DE"' in done.stdout


def test_the_recipe_finds_a_changed_certificate(files: tuple[Path, Path]) -> None:
    files[0].write_bytes(files[0].read_bytes().replace(b'"territory":"DE"', b'"territory":"FR"'))
    done = run_recipe(files)
    assert done.returncode != 0
    assert "Signature Verification Failure" in done.stdout + done.stderr


# ---- on paper ------------------------------------------------------------------------------------------------------


def test_the_sheet_is_the_same_bytes_every_time_and_says_what_the_document_says(certificate: Certificate) -> None:
    first, second = papers.certificate(certificate), papers.certificate(certificate)
    assert first == second
    text = "".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(first))
    compact = re.sub(r"\s", "", text)
    document = certificate.document
    said = [certificate.sha256, document["sale"]["line"], document["decision"]["sha256"], certificate.key.key]
    for recording in document["recordings"]:
        said += [recording["sound_sha256"], recording["title"], recording["attribution"]["source"]]
        said += [item["sha256"] for grant in recording["grants"] for item in grant["evidence"]]
    assert [fact for fact in said if re.sub(r"\s", "", fact) not in compact] == []


def test_the_sheet_is_an_archive_document_with_its_fonts_inside(certificate: Certificate) -> None:
    data = papers.certificate(certificate)
    assert b"pdfaid" in data
    assert b"/FontFile" in data or b"/ObjStm" in data
    assert b"/JavaScript" not in data


def test_the_visitor_gets_the_sheet(visitor: Client, certificate: Certificate) -> None:
    answer = visitor.get(f"/certificates/{certificate.public_id}.pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content == papers.certificate(certificate)
    assert visitor.get(f"/certificates/{certificate.public_id}.pdf").content == answer.content


def test_letters_that_the_fonts_lack_are_written_as_numbers_and_markup_is_only_text(certificate: Certificate) -> None:
    certificate.document["sale"]["title"] = '東 #panic("x") *b* $x$ \u202e\u0000 e\u0301'
    text = pypdfium2.PdfDocument(papers.certificate(certificate))[0].get_textpage().get_text_bounded()
    assert '[U+6771] #panic("x") *b* $x$ [U+202E][U+0000] é' in text


def test_every_letter_said_to_be_drawn_is_drawn(certificate: Certificate) -> None:
    letters = [chr(code) for first, last in papers.DRAWN for code in range(first, last)]
    certificate.document["sale"]["title"] = "".join(
        letter for letter in letters if unicodedata.category(letter)[0] in papers.VISIBLE
    )
    assert papers.certificate(certificate).startswith(b"%PDF")


def test_the_time_of_the_sheet_is_that_of_the_certificate(certificate: Certificate) -> None:
    before = papers.certificate(certificate)
    certificate.issued_at += timedelta(days=1)
    assert papers.certificate(certificate) != before
