"""What real arithmetic adds to the numbers: infinities, and numbers that do not exist.

Rules write ``np.where(mask, x, -np.inf)`` before a maximum, and ``np.where(s > 0, a / s, 0)``
around a division. Both must mean in exact arithmetic what they mean in floats:

- `Infinity` compares with every number and absorbs what is added to it;
- `Undefined` is what ``a / 0`` leaves behind. It passes through arithmetic, `np.where` discards it,
  and it raises once somebody compares it, indexes with it or reads it. (Floats would give NaN or an
  infinity and go on: a comparison with NaN is silently false.)

Both mix with int, Fraction and the terms of other files through Python's reflected operators.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NoReturn

from proofs.errors import UndefinedNumber, user_line

__all__ = ["Infinity", "Undefined", "infinity", "undefined"]


class Undefined:
    """A number that does not exist.

    ``cause`` says where it comes from. ``nan`` is what floats would hold in its place: True for
    NaN, False for an infinity (1/0), None if further arithmetic has made that unknowable.
    """

    __slots__ = ("cause", "nan")

    def __init__(self, cause: str, *, nan: bool | None = True) -> None:
        self.cause = cause
        self.nan = nan

    def refuse(self, use: str) -> NoReturn:
        """Raise the error for a use that needs a number."""
        raise UndefinedNumber(
            f"{self.cause}; the result, which is not a number, {use} at {user_line()}. "
            "Guard it: np.where(s > 0, a / s, 0), or "
            "np.divide(a, s, out=np.zeros_like(a), where=s > 0)"
        )

    def _absorb(self, *_: Any) -> Undefined:
        return self if self.nan else Undefined(self.cause, nan=None)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _absorb
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _absorb
    __pow__ = __rpow__ = __neg__ = __abs__ = _absorb

    def _compare(self, other: object) -> NoReturn:
        self.refuse("is compared")

    __lt__ = __le__ = __gt__ = __ge__ = _compare
    __eq__ = __ne__ = _compare
    __hash__ = None  # type: ignore[assignment]

    def _read(self) -> NoReturn:
        self.refuse("is used as a number")

    __bool__ = __int__ = __float__ = __index__ = _read

    def __repr__(self) -> str:
        return "undefined"


class Infinity:
    """Plus or minus infinity, as a bound that exceeds every number."""

    __slots__ = ("sign",)

    def __init__(self, sign: int) -> None:
        self.sign = sign

    def __neg__(self) -> Infinity:
        return infinity(-self.sign)

    def __abs__(self) -> Infinity:
        return infinity(1)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Undefined):
            return NotImplemented
        if isinstance(other, Infinity) and other.sign != self.sign:
            return undefined("infinity minus infinity")
        return self

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return other + -self

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Undefined):
            return NotImplemented
        if other == 0:
            return undefined("zero times infinity")
        return infinity(self.sign if other > 0 else -self.sign)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Undefined):
            return NotImplemented
        if isinstance(other, Infinity):
            return undefined("infinity over infinity")
        if other == 0:
            raise ZeroDivisionError("an infinity divided by zero")
        return infinity(self.sign if other > 0 else -self.sign)

    def __rtruediv__(self, other: Any) -> Any:
        return other * 0

    def __floordiv__(self, other: Any) -> Any:
        if isinstance(other, Undefined):
            return NotImplemented
        return undefined("an infinity rounded down")

    __rfloordiv__ = __mod__ = __rmod__ = __floordiv__

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, Undefined):
            return NotImplemented
        if exponent == 0:
            return Fraction(1)
        if exponent < 0:
            return Fraction(0)
        return infinity(-1 if self.sign < 0 and exponent % 2 == 1 else 1)

    def __float__(self) -> float:
        return math.copysign(math.inf, self.sign)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Undefined):
            return NotImplemented
        if isinstance(other, float):
            return float(self) == other
        return isinstance(other, Infinity) and other.sign == self.sign

    def __hash__(self) -> int:
        return hash(float(self))

    def __lt__(self, other: Any) -> bool:
        if isinstance(other, Undefined):
            return NotImplemented
        return self.sign < 0 and self != other

    def __le__(self, other: Any) -> bool:
        if isinstance(other, Undefined):
            return NotImplemented
        return self.sign < 0 or self == other

    def __gt__(self, other: Any) -> bool:
        if isinstance(other, Undefined):
            return NotImplemented
        return self.sign > 0 and self != other

    def __ge__(self, other: Any) -> bool:
        if isinstance(other, Undefined):
            return NotImplemented
        return self.sign > 0 or self == other

    def __repr__(self) -> str:
        return "inf" if self.sign > 0 else "-inf"


_PLUS, _MINUS = Infinity(1), Infinity(-1)


def infinity(sign: float) -> Infinity:
    """Plus infinity for a positive ``sign``, else minus infinity."""
    return _PLUS if sign > 0 else _MINUS


def undefined(cause: str, *, nan: bool | None = True) -> Undefined:
    """A number that does not exist, because of ``cause`` on the rule's current line."""
    return Undefined(f"{cause} at {user_line()}", nan=nan)
