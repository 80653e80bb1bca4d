"""The closed lists of the licensing trade: layers, uses, bases and what else a record may say.

Pure values. A value that is not on its list is never guessed at: the reader of a record turns it into "not cleared".
"""

from enum import StrEnum


class Layer(StrEnum):
    """The two rights every sale of a recording needs: in the sound recording, and in each work that is heard in it."""

    RECORDING = "RECORDING"
    WORK = "WORK"


class Use(StrEnum):
    """What the store wants to do. Each is a permission of its own; none implies another."""

    PERMANENT_DOWNLOAD = "PERMANENT_DOWNLOAD"
    FREE_DOWNLOAD = "FREE_DOWNLOAD"
    PREVIEW = "PREVIEW"
    STREAM = "STREAM"
    REDOWNLOAD = "REDOWNLOAD"


class Basis(StrEnum):
    """On what a record rests, and with that the kind of evidence it needs."""

    DIRECT = "DIRECT"
    DDEX_DEAL = "DDEX_DEAL"
    CMO = "CMO"
    STATUTORY = "STATUTORY"
    PASS_THROUGH = "PASS_THROUGH"  # noqa: S105 - a licensing term
    PUBLIC_LICENCE = "PUBLIC_LICENCE"
    PD = "PD"
    CC_PLUS = "CC_PLUS"


class Licensee(StrEnum):
    """Whom a record allows: this store alone, or everybody."""

    STORE = "STORE"
    PUBLIC = "PUBLIC"


class TerritoryMode(StrEnum):
    """A set of countries as it was given: named one by one, or the whole world but for some."""

    ONLY = "ONLY"
    WORLD_EXCEPT = "WORLD_EXCEPT"


class RecordState(StrEnum):
    """Where a record stands, read from its reviews and ends; never stored."""

    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"


class CmoStatus(StrEnum):
    """What is known of a writer's ties to a collecting society (CMO)."""

    UNKNOWN = "UNKNOWN"
    NOT_BOUND = "NOT_BOUND"
    CARVED_OUT = "CARVED_OUT"
    EXCLUSIVE = "EXCLUSIVE"


class RedownloadRule(StrEnum):
    """What past buyers may do after a record has ended."""

    ALWAYS = "ALWAYS"
    NOTICE_PERIOD = "NOTICE_PERIOD"
    NEVER = "NEVER"


class Material(StrEnum):
    """Other people's music inside a recording, which needs a record of its own."""

    COVER = "COVER"
    SAMPLE = "SAMPLE"
    REMIX = "REMIX"
    ARRANGEMENT = "ARRANGEMENT"


class EvidenceKind(StrEnum):
    """What a kept piece of evidence is. A statement is a licence's address or words as somebody gave them."""

    TAG_STATEMENT = "TAG_STATEMENT"
    STATEMENT = "STATEMENT"
    AGREEMENT = "AGREEMENT"
    CHAIN_OF_TITLE = "CHAIN_OF_TITLE"
    SOCIETY_LICENCE = "SOCIETY_LICENCE"
    DECLARATION = "DECLARATION"
    LICENCE_PAGE = "LICENCE_PAGE"
    PUBLIC_DOMAIN_PROOF = "PUBLIC_DOMAIN_PROOF"
    LETTER = "LETTER"


class ReviewOutcome(StrEnum):
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class EndKind(StrEnum):
    """How a record stops. A suspended one may resume; a revoked one never does."""

    REVOKED = "REVOKED"
    SUSPENDED = "SUSPENDED"
    RESUMED = "RESUMED"


class NoticeKind(StrEnum):
    """What somebody demanded of the store."""

    TAKEDOWN = "TAKEDOWN"
    DISPUTE = "DISPUTE"
    LEGAL_HOLD = "LEGAL_HOLD"
    RECALL = "RECALL"


class RateMethod(StrEnum):
    """How a tariff is reckoned: a flat sum a copy, by the minute, a percentage, or the greater."""

    FLAT = "FLAT"
    PER_MINUTE_OVER = "PER_MINUTE_OVER"
    PERCENT = "PERCENT"
    GREATER_OF = "GREATER_OF"
    GREATER_OF_WITH_MIN = "GREATER_OF_WITH_MIN"


class RateBase(StrEnum):
    """Of what a percentage is taken."""

    GROSS_EX_TAX = "GROSS_EX_TAX"
    NET = "NET"


ALL_USES = frozenset(Use)
