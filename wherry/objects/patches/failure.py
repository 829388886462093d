"""Why a patch could not be applied, as the error a client gets."""

from __future__ import annotations

from wherry.objects.errors import ApiError

_REASONS = {400: "BadRequest", 413: "RequestEntityTooLarge", 422: "Invalid"}
UNPROCESSABLE = "the server rejected our request due to an error in our request"


class PatchFailed(ApiError):
    """A patch that makes no sense (400), is too large (413) or does not fit the object (422).

    For 422 upstream answers one sentence whatever happened; it is kept as the message, and what really
    happened goes into the details' causes, which kubectl prints. `why` is that text in every case.
    """

    def __init__(self, why: str, code: int = 400) -> None:
        if code == 422:
            causes = {"causes": [{"reason": "UnexpectedServerResponse", "message": why}]}
            super().__init__(code, _REASONS[code], UNPROCESSABLE, causes)
        else:
            super().__init__(code, _REASONS[code], why)
        self.why = why
