"""What a setting must be; each breach is a ValueError with the value and the limit."""

import numbers


def check_count(name, value, least):
  """Raises a ValueError unless `value` is a whole number of at least `least`.

  Args:
    name: of the setting.
    value: what was given.
    least: int, the least that may be.

  Example:
    >>> check_count("steps", 10, 1)
  """
  if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
    raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}")


def check_positive(name, value, most=None):
  """Raises a ValueError unless `value` is a number in (0, most].

  Args:
    name: of the setting.
    value: what was given.
    most: the upper end; None for none.

  Example:
    >>> check_positive("alpha", 0.2, most=1)
  """
  if not isinstance(value, numbers.Real) or isinstance(value, bool) or not (
      0 < value <= (most or float("inf"))):
    raise ValueError(f"{name} is {value!r}; it must be a number above 0"
                     + (f" and at most {most}" if most else ""))


def check_number(name, value, least=0.0, most=None, open_=False):
  """Raises a ValueError unless `value` is a number in [least, most], or in (least, most).

  Args:
    name: of the setting.
    value: what was given.
    least: the lower end.
    most: the upper end; None for none.
    open_: leave both ends out.

  Example:
    >>> check_number("rate", 1e-3, open_=True)
  """
  good = isinstance(value, numbers.Real) and not isinstance(value, bool)
  if good:
    good = value > least if open_ else value >= least
    good = good and (most is None or (value < most if open_ else value <= most))
  if not good:
    low = f"above {least:g}" if open_ else f"at least {least:g}"
    high = "" if most is None else (f" and {'below' if open_ else 'at most'} {most:g}")
    raise ValueError(f"{name} is {value!r}; it must be a number {low}{high}")
