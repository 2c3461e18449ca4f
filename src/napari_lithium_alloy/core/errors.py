"""The one exception users see."""


class AlloyError(ValueError):
    """What is wrong and what to do about it, in one sentence a user can act on."""
