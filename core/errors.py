"""Every error that Casemill raises on purpose, in one hierarchy.

Three kinds decide what happens next (design, rules 4 and 5):

- :class:`ContentError`: one case is bad. It becomes an outcome; the run goes on.
- :class:`TransientError`: the machine or the network is bad. Try again; no case is blamed.
- :class:`FatalError`: nobody gains by trying again. The run stops and says what to do.

Each carries a code that stands in ``docs/errors.md``.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_DONE = 0
EXIT_NOT_VERIFIED = 1
EXIT_BAD_REQUEST = 64
EXIT_BUG = 70
EXIT_BUG_AGAIN = 71
"""Of a container that met a bug and is a repetition itself: Batch can count attempts, but not those of one code."""

EXIT_RETRY = 75
EXIT_INTERRUPTED = 130
EXIT_OUTPUT_GONE = 141
"""As every tool does whose reader has gone: 128 and the number of SIGPIPE."""


class CasemillError(Exception):
    """An error with a code, a sentence that says what is wrong, and one that says what to do.

    ``may_quote``: what is wrong is partly told in somebody else's words, which may quote a value of the data. They are
    for who asked, and get into no log and no mail (:func:`core.run.notices.without_quotes`).
    """

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(self, code: str, what: str, *, where: str = "", fix: str = "", may_quote: bool = False) -> None:
        self.code = code
        self.what = what
        self.where = where
        self.fix = fix
        self.may_quote = may_quote
        super().__init__(code, what, where, fix)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" {self.fix}" if self.fix else ""
        return f"{place}{self.what} [{self.code}]{remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the constructor with `args` alone, which loses the keywords
        # when an error crosses from a worker process.
        return (_rebuild, (type(self), self.code, self.what, self.where, self.fix, self.may_quote))


def _rebuild(kind: type[CasemillError], code: str, what: str, where: str, fix: str, may_quote: bool) -> CasemillError:
    return kind(code, what, where=where, fix=fix, may_quote=may_quote)


class ContentError(CasemillError):
    """One case cannot be used; ``code`` is the reason code of its outcome."""

    exit_code = EXIT_NOT_VERIFIED

    @property
    def detail(self) -> str:
        """The detail of its outcome: where it is, and what is wrong."""
        return f"{self.where}: {self.what}" if self.where else self.what


class TransientError(CasemillError):
    """The surroundings failed (throttling, time-outs, no disk); the same work may succeed later."""

    exit_code = EXIT_RETRY


class FatalError(CasemillError):
    """Trying again would end the same way."""


class BadRequestError(FatalError):
    """What was asked for cannot be done as asked."""

    exit_code = EXIT_BAD_REQUEST


class IntegrityError(FatalError):
    """Stored data contradicts its own records."""

    exit_code = EXIT_NOT_VERIFIED


class BugError(FatalError):
    """Casemill itself broke a promise; retried once, then reported."""
