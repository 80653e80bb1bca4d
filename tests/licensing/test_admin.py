"""Staff look at rights; they never edit them."""

import pytest
from django.contrib import admin
from django.urls import reverse

from licensing import clearance, notices
from licensing.models import ClearanceDecision, Instrument, LicenceGrant, Notice, Rate, RightsHolder
from licensing.terms import Use
from tests.factories.licensing import NOW, SOUND, make_cleared

pytestmark = pytest.mark.django_db
MODELS = [RightsHolder, Instrument, LicenceGrant, Notice, ClearanceDecision, Rate]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_staff_may_look_and_not_touch(model, admin_client):
    recording = make_cleared()
    clearance.clear(recording, use=Use.PERMANENT_DOWNLOAD, at=NOW, actor="t", sound_sha256=SOUND)
    notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
    name = model._meta.model_name
    row = model.objects.first()
    assert admin_client.get(reverse(f"admin:licensing_{name}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"admin:licensing_{name}_change", args=[row.pk])).status_code == 200
    assert admin_client.post(reverse(f"admin:licensing_{name}_delete", args=[row.pk])).status_code == 403
    assert admin_client.get(reverse(f"admin:licensing_{name}_add")).status_code == 403


def test_lists_take_as_many_statements_for_many_rows_as_for_one(admin_client, django_assert_max_num_queries):
    for _ in range(4):
        make_cleared()
    with django_assert_max_num_queries(12):
        admin_client.get(reverse("admin:licensing_licencegrant_changelist"))


def test_every_model_of_evidence_is_read_only_in_the_admin(rf):
    for model in MODELS:
        model_admin = admin.site._registry[model]
        assert not model_admin.has_change_permission(rf.get("/"))
