"""Rights holders, what they allow, the evidence for it, and what the store concluded.

Everything here except `RightsHolder`, `ReviewCase` and rows of owed work is append-only: triggers (migration
`0002_promises`) refuse to change or delete a row, whoever asks, and the application's role lacks the privilege
(`append_only`). A change is a new row: a new version of a grant, an end, a review, the end of a notice.
"""

from licensing.models.audit import AuditEntry, AuditPending
from licensing.models.decisions import ClearanceDecision
from licensing.models.grants import GrantEnd, GrantEvidence, Instrument, LicenceGrant, RightsHolder, evidence_storage
from licensing.models.notices import Notice, NoticeAward, NoticeEnd, NoticeStep
from licensing.models.rates import Rate, RateVerification
from licensing.models.reclearing import Reclearance
from licensing.models.reviews import Answer, Question, Review, ReviewCase
from licensing.models.scrubbing import ByteCheck

__all__ = [
    "Answer",
    "AuditEntry",
    "AuditPending",
    "ByteCheck",
    "ClearanceDecision",
    "GrantEnd",
    "GrantEvidence",
    "Instrument",
    "LicenceGrant",
    "Notice",
    "NoticeAward",
    "NoticeEnd",
    "NoticeStep",
    "Question",
    "Rate",
    "RateVerification",
    "Reclearance",
    "Review",
    "ReviewCase",
    "RightsHolder",
    "evidence_storage",
]
