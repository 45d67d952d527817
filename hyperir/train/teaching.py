"""Teaching: a teacher's scores of all examples of a training set, in a file that `taught` sets read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.train.data.example import TrainingSet
from hyperir.train.ledger import Ledger
from hyperir.train.teachers import Teacher

__all__ = ["teach"]

BLOCK = 16  # examples scored and written together


def teach(
    training_set: TrainingSet,
    teacher: Teacher,
    output: Path,
    *,
    name: Sequence[str] = (),
    show_progress: bool = True,
) -> int:
    """Score every item of every example. A stop loses the block at work; the same call goes on after it.

    Args:
        training_set: whose examples.
        teacher: what scores.
        output: the file, written piece by piece; a header, then one line `{"scores": [...]}` an example.
        name: of the teacher or teachers, for the header.
        show_progress: show the bar.

    Returns:
        How many examples were scored now.

    Raises:
        InputError: the file is there and of other work, or the teacher gives a score that is no finite number.
    """
    header = {
        "hyperir": "teach",
        "training": training_set.fingerprint,
        "teacher": teacher.fingerprint,
        "names": list(name),
    }
    total = len(training_set)
    with Ledger(output, header) as ledger, Progress("Teaching", total, "examples", show=show_progress) as bar:
        before = ledger.done
        bar.advance(before)
        try:
            while ledger.done < total:
                numbers = range(ledger.done, min(ledger.done + BLOCK, total))
                ledger.append({"scores": scores} for scores in _scores(training_set, teacher, numbers))
                bar.advance(len(numbers))
        except BaseException as error:
            error.add_note(f"{ledger.done:,} of {total:,} examples are scored; the same command goes on there.")
            raise
        return ledger.done - before


def _scores(training_set: TrainingSet, teacher: Teacher, numbers: range) -> list[list[float]]:
    examples = [training_set[i] for i in numbers]
    documents = [[training_set.text(id_) for id_ in example.items] for example in examples]
    found = teacher([example.query for example in examples], documents)
    for number, scores in zip(numbers, found, strict=True):
        if not all(abs(score) < float("inf") for score in scores):  # also false for NaN
            raise InputError(f"the teacher's scores of example {number} are no finite numbers", got=str(scores)[:80])
    # As many digits as float32 has: more would say nothing, and half of the file would be digits.
    return [[float(f"{score:.7g}") for score in scores] for scores in found]
