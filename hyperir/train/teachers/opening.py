"""From names to teachers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hyperir.core.errors import ModelError
from hyperir.encode import load_network
from hyperir.encode.lexical import LexicalModel, is_lexical_folder
from hyperir.encode.sources import HubOptions, bundled, locate
from hyperir.encode.transformer import read_json
from hyperir.train.teachers import Teacher
from hyperir.train.teachers.ensemble import Ensemble

__all__ = ["load_teacher"]

CLASSIFIER = "ForSequenceClassification"


def load_teacher(
    names: Sequence[str],
    weights: Sequence[float] | None = None,
    *,
    batch_size: int = 32,
    max_length: int | None = None,
) -> Teacher:
    """One teacher, or several as one.

    Args:
        names: folders or hub ids: of cross-encoders (transformers' sequence classifiers), of whatever `hyperir.load`
            takes, or folders of lexical models.
        weights: one for each; None for the mean.
        batch_size: texts, or pairs of texts, computed at once.
        max_length: tokens of a pair, for cross-encoders.

    Raises:
        ModelError: one cannot be found or read.
        InputError: the weights do not fit.
    """
    teachers = [_load(name, batch_size, max_length) for name in names]
    return teachers[0] if len(teachers) == 1 and weights is None else Ensemble(teachers, weights)


def _load(name: str, batch_size: int, max_length: int | None) -> Teacher:
    folder = None if name in bundled() else locate(name, HubOptions())
    if folder is not None and _is_classifier(folder):
        from hyperir.train.teachers.cross_encoder import CrossEncoder

        return CrossEncoder(folder, batch_size=batch_size, max_length=max_length)
    if folder is not None and is_lexical_folder(folder):
        from hyperir.train.teachers.words import LexicalTeacher

        return LexicalTeacher(LexicalModel.from_pretrained(folder))
    from hyperir.train.teachers.retriever import RetrieverTeacher

    model = load_network(name)
    if not model.trained:
        raise ModelError(f"{name} has learned nothing that it could teach", fix="name a trained model")
    return RetrieverTeacher(model, batch_size=batch_size)


def _is_classifier(folder: Path) -> bool:
    path = folder / "config.json"
    names = read_json(path).get("architectures") if path.is_file() else None
    return isinstance(names, list) and any(str(name).endswith(CLASSIFIER) for name in names)
