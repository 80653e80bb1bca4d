"""What the catalogue refuses."""


class CatalogError(Exception):
    """Base of all refusals here: `code` is stable, the message says what to do."""

    code = "CATALOG"


class CodeError(CatalogError):
    """An identifier that is not one. Its form is wrong (`CODE_FORM`) or its check digit (`CODE_CHECK_DIGIT`)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TrackPlaceTaken(CatalogError):
    """Two recordings cannot share one number on one disc, nor one recording stand twice on a release."""

    code = "TRACK_PLACE_TAKEN"


class ImageRefused(CatalogError):
    """Not an image we take; the message says which we do."""

    code = "IMAGE_REFUSED"


class ShareRefused(CatalogError):
    """The parts in a work do not add up, or a line contradicts another; the message says which."""

    code = "SHARE_REFUSED"


class MembershipRefused(CatalogError):
    """A society's mandate that cannot be, or that another one rules out."""

    code = "MEMBERSHIP_REFUSED"
