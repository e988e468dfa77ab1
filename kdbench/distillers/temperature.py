"""What a temperature may be."""


def checked_temperature(tau: float, name: str = "tau") -> float:
    """``tau``, which divides logits or similarities, if it is above 0; anything else is a ``ValueError``.

    >>> checked_temperature(4.0)
    4.0
    """
    if not tau > 0:
        raise ValueError(f"{name}={tau} was asked for; a temperature is above 0")
    return tau
