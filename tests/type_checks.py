"""The type checker of the tests: beartype, which reads a function's annotations when the function is first called."""

import beartype


def at_first_call(function):
    """A function as `beartype.beartype` returns it, which takes a millisecond; many are never called."""
    checked = None

    def checks(*args, **kwargs):
        nonlocal checked
        if checked is None:
            checked = beartype.beartype(function)
        return checked(*args, **kwargs)

    return checks
