"""What licensing refuses, each with a stable code and a message that says what to do."""


class LicensingError(Exception):
    """Base of all refusals of this app. `code` never changes; the message is for people."""

    code = "LICENSING"


class GrantRefused(LicensingError):
    """The record says something that no record may say."""

    code = "GRANT_REFUSED"


class GrantOutdated(LicensingError):
    """A newer version of the record exists; act on that one."""

    code = "GRANT_OUTDATED"


class ReviewNotIndependent(LicensingError):
    """Four eyes: nobody decides on a record of her own label, or on one she handed in."""

    code = "REVIEW_NOT_INDEPENDENT"


class ReviewIncomplete(LicensingError):
    """The reviewer saw no evidence, or heard no sound, or gave no reason."""

    code = "REVIEW_INCOMPLETE"


class EvidenceRefused(LicensingError):
    """The evidence cannot be kept as it is."""

    code = "EVIDENCE_REFUSED"


class NoticeRefused(LicensingError):
    """The notice lacks something, or has ended before."""

    code = "NOTICE_REFUSED"


class TerritoryError(LicensingError, ValueError):
    """Not a set of current ISO 3166-1 countries."""

    code = "TERRITORY_UNKNOWN"


class ReviewTwice(LicensingError):
    """Two reviewers are two people: who approved first cannot be the second as well."""

    code = "REVIEW_TWICE"


class AgreementsDiffer(LicensingError):
    """One word for many records is for records that rest on one agreement."""

    code = "AGREEMENTS_DIFFER"


class QuestionRefused(LicensingError):
    """The question or the answer says nothing, or nobody waits for it any more."""

    code = "QUESTION_REFUSED"


class RateRefused(LicensingError):
    """The rate of a tariff says something that no rate may say, or cannot be verified as it stands."""

    code = "RATE_REFUSED"
