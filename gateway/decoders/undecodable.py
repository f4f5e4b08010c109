"""The one exception of the decoders."""


class Undecodable(ValueError):
    """A payload that is no message: a dead letter with this `reason` and `detail`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
