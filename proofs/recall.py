"""What a part of a program gave, remembered by the answers to its questions.

A program that is followed path by path runs again from its start on each path. Take a part of it
that depends on its arguments alone, a mechanism's rule, and that learns of unknown numbers only by
asking questions (`proofs.affine`). Run twice on the same arguments, it asks the same first
question; given the same answer, the same second one; and where all answers are the same, it gives
the same result. So the runs of a part form a tree of questions, and where a path gives answers for
which there is a result in the tree, the part need not run again. A rule has far fewer such runs
than the pairs of a profile and a deviation have paths.

A part that depends on something else, or changes what it has returned, makes this wrong. What is
found with it is a proposal, which `proofs.checker` checks without any memory.

Source: Acar, Blelloch & Harper, "Selective memoization" (2003): results by what was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Memory"]

Question = tuple[Hashable, Any]
"""What tells a question from others, and the question itself."""


@dataclass
class _Place:
    """Where a run stands after some answers: at its next question, or at its end."""

    question: Question | None = None
    after: dict[Any, _Place] = field(default_factory=dict)
    ended: bool = False
    result: Any = None


class Memory:
    """The runs of the parts of a program.

    Args:
        answer: answers a question, as on the present path.
    """

    def __init__(self, answer: Callable[[Question], Any]) -> None:
        self._answer = answer
        self._starts: dict[Hashable, _Place] = {}
        self._running: list[list[tuple[Question, Any]]] = []

    def ask(self, question: Question) -> Any:
        """The answer to a question, which belongs to all parts that are running."""
        answer = self._answer(question)
        for run in self._running:
            run.append((question, answer))
        return answer

    def recall(self, part: Hashable, work: Callable[[], Any]) -> Any:
        """What ``work()`` gives, from memory where its questions have answers known from before.

        Args:
            part: equal for two parts only if they do the same with the same arguments.
        """
        start = place = self._starts.setdefault(part, _Place())
        while place.question is not None:
            following = place.after.get(self.ask(place.question))
            if following is None:
                break
            place = following
        if place.ended:
            return place.result
        self._running.append([])
        try:
            result = work()
        finally:
            run = self._running.pop()
        _keep(start, run, result)
        return result


def _keep(place: _Place, run: Iterable[tuple[Question, Any]], result: Any) -> None:
    """Enter a run in a tree, unless it asks something else than an earlier one did there."""
    for question, answer in run:
        if place.question is None and not place.ended:
            place.question = question
        if place.question is None or place.question[0] != question[0]:
            return
        place = place.after.setdefault(answer, _Place())
    if place.question is None:
        place.ended, place.result = True, result
