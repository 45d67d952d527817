"""What a bar found."""

from dataclasses import dataclass, field


@dataclass
class Result:
    """One bar, tried `count` times.

    Args:
        bar: its number.
        what: was tried.
        count: how often, really.
        failures: a line for each time that the promise was broken.
        note: what else was counted.
    """

    bar: int
    what: str
    count: int = 0
    failures: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.count > 0 and not self.failures

    def check(self, right: bool, failure: str) -> None:
        if not right:
            self.failures.append(failure)
