"""The study of one horizon: all that a person wants to see beside its test."""

from training.evaluation.diagnostics import SliceFigures, Studied, Subject, explained, told
from training.evaluation.learning_curve import curve
from training.evaluation.segments import segments
from training.evaluation.stability import periods


def study(subject: Subject) -> Studied:
    """Learning curve, periods, segments, and what moves the scores."""
    learning, baseline = curve(subject)
    return Studied(learning, tuple(baseline), periods(subject), _segments(subject), explained(subject))


def _segments(subject: Subject) -> tuple[SliceFigures, ...]:
    """Figures of each segment of the test rows."""
    question, rows, tested = subject.question, subject.test, subject.tested
    return tuple(
        told(question, name, rows[mask], tested.model[mask], tested.baseline[mask])
        for name, mask in segments(subject.setting, question.task, rows)
    )
