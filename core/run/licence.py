"""The licence of the source, as a user states it."""

from __future__ import annotations

import re

from core.workload import Licence

STATED_PATTERN = (
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\s\x00-\x1f\x7f-\x9f\u2028\u2029][^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
)
"""One line that is not blank."""

MOST_CHARACTERS = 300

_CREATIVE_COMMONS = re.compile(r"cc[ -]by((?:-nc)?(?:-sa|-nd)?)[ -]([1-4]\.[05])", re.IGNORECASE)
_ZERO = re.compile(r"cc0(?:[ -]1\.0)?", re.IGNORECASE)


def stated_licence(text: str) -> Licence:
    """A licence by what a user calls it: a Creative Commons licence, the address of a text, or words.

    >>> stated_licence("cc-by-nc-sa-4.0").name
    'CC BY-NC-SA 4.0'
    >>> stated_licence("an agreement with the hospital")
    Licence(name='an agreement with the hospital', url='', spdx='')
    """
    text = text.strip()
    if found := _CREATIVE_COMMONS.fullmatch(text):
        return creative_commons("by" + found[1].lower(), found[2])
    if _ZERO.fullmatch(text):
        return Licence("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0")
    return Licence(text, text if re.fullmatch(r"https?://\S+", text) else "")


def creative_commons(terms: str, version: str) -> Licence:
    """A licence of Creative Commons, such as ``by-nc`` in version ``4.0``."""
    return Licence(
        name=f"CC {terms.upper()} {version}",
        url=f"https://creativecommons.org/licenses/{terms}/{version}/",
        spdx=f"CC-{terms.upper()}-{version}",
    )
