"""The study of one horizon: all that a person wants to see beside its test."""

from training.evaluation.diagnostics import Diagnostics, SliceFigures, Subject, attributions, slice_figures
from training.evaluation.learning_curve import curve
from training.evaluation.segments import segments
from training.evaluation.stability import periods


def diagnose(subject: Subject) -> Diagnostics:
    """Learning curve, periods, segments, and what moves the scores."""
    learning, baseline = curve(subject)
    return Diagnostics(learning, tuple(baseline), periods(subject), _segments(subject), attributions(subject))


def _segments(subject: Subject) -> tuple[SliceFigures, ...]:
    """Figures of each segment of the test rows."""
    question, rows, tested = subject.question, subject.test, subject.evaluation
    return tuple(
        slice_figures(question, name, rows[mask], tested.model[mask], tested.baseline[mask])
        for name, mask in segments(subject.context, question.task, rows)
    )
