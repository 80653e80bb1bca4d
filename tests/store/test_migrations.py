import pytest
from django.core.management import call_command


@pytest.mark.django_db(transaction=True)
def test_migrations_run_and_go_back():
    call_command("makemigrations", "store", check=True, dry_run=True, skip_checks=True)
    call_command("migrate", "store", "0001", verbosity=0, skip_checks=True)
    call_command("migrate", verbosity=0, skip_checks=True)
