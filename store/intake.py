"""One delivery while it is being taken: whose it is, its lines, and what it touched."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from catalog.models import Party, Recording, Release
from store.delivered_rights import Desk
from store.filing import Filed
from store.models import Delivery, DeliveryLine

OnLine = Callable[[DeliveryLine], object]
DELIVERED, HERE, REFUSED, WARNED = (
    DeliveryLine.Outcome.DELIVERED,
    DeliveryLine.Outcome.ALREADY_HERE,
    DeliveryLine.Outcome.REFUSED,
    DeliveryLine.Outcome.WARNED,
)


@dataclass
class Intake:
    """One delivery while it is being taken: whose it is, its lines, and what it touched."""

    delivery: Delivery
    desk: Desk
    on_line: OnLine
    ours: bool = False  # the files are in the store's own hands already
    recordings: dict[int, Recording] = field(default_factory=dict)
    releases: dict[int, Release] = field(default_factory=dict)
    release_folders: dict[Path, set[int]] = field(default_factory=lambda: defaultdict(set))

    @cached_property
    def _earlier(self) -> dict[str, DeliveryLine]:
        """Lines of this very delivery from a try that was cut short, by path."""
        return {line.path: line for line in self.delivery.lines.all()}

    @property
    def label(self) -> Party:
        return self.delivery.label

    def write(
        self, shown: str, outcome: str, code: str, message: str, *, sha256: str = "", filed: Filed | None = None
    ) -> None:
        if earlier := self._earlier.get(shown):
            if outcome in {HERE, earlier.outcome}:  # the line of the try that was cut short says more
                self.on_line(earlier)
                return
            earlier.delete()
        line = DeliveryLine.objects.create(
            delivery=self.delivery,
            path=shown,
            file_sha256=sha256,
            outcome=outcome,
            code=code,
            message=message,
            recording=filed.recording if filed else None,
            track=filed.track if filed else None,
        )
        self.on_line(line)


def unreadable(error: OSError) -> str:
    return f"The file cannot be read ({error.strerror or error}). Check its permissions and deliver it again."
