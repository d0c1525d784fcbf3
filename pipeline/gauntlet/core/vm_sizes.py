"""This module provides the vCPUs of Azure's virtual machine sizes, as far as Databricks starts clusters on them.

Source: Microsoft Learn, "Azure virtual machine sizes naming conventions" (from version 3 of a family on the first
number of a name is its vCPUs) and the pages of the older families, whose numbers count sizes instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

FREE_TRIAL_QUOTA = 4

_GENERAL = {"1": 1, "2": 2, "3": 4, "4": 8, "5": 16}
_MEMORY = {"11": 2, "12": 4, "13": 8, "14": 16, "15": 20}
# D, DS, Dv2 and DSv2: the number is the place in the family.
_OLD_D = re.compile(r"Standard_DS?(?P<place>\d+)(?:_v2)?")
# F, Fs, Fsv2, L, Ls, Lsv2, NC, ND and NV before version 3 carry their vCPUs in the name as later families do.
_OLD_NUMBERED = re.compile(r"Standard_(?:F|L|NC|ND|NV)(?P<vcpus>\d+)[a-z]*(?:_v2)?")
# No hyphen: sizes with constrained vCPUs (Standard_E8-4ds_v5) say two numbers, and nothing says which a quota counts.
_NUMBERED = re.compile(r"Standard_[A-Z]{1,3}(?P<vcpus>\d+)[a-z]*(?:_[A-Z0-9]+)?_v(?:[3-9]|\d\d)")


def vcpus_of(size: str, *, known: Mapping[str, int] | None = None) -> int | None:
    """Return the vCPUs of one virtual machine of a size; None if they are not known.

    Args:
        size: The size's name, such as ``Standard_DS3_v2``.
        known: Sizes that somebody states; they go before what is known here.
    """
    if known and size in known:
        return known[size]
    if old := _OLD_D.fullmatch(size):
        return (_GENERAL | _MEMORY).get(old["place"])
    numbered = _NUMBERED.fullmatch(size) or _OLD_NUMBERED.fullmatch(size)
    return int(numbered["vcpus"]) if numbered else None
