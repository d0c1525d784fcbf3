"""This module provides the gates on the artefact: the packed model's files, and all others of the family.

The artefact is what a promotion registers and what serves: so it is judged itself, not the model that it was made of.
"""

from __future__ import annotations

from gauntlet.adapters.artefact_copies import LOADING_NOTE
from gauntlet.adapters.artefact_files import file_digests, pickles_in
from gauntlet.adapters.packing import code_fault
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.artefact_answers import (
    latency_within_budget,
    output_is_one_probability,
    packed,
    readback_equal,
)
from gauntlet.gates.artefact_contract import signature_fits_table
from gauntlet.gates.artefact_paths import paths_agree
from gauntlet.gates.artefact_requirements import requirements_locked
from gauntlet.gates.gate import Gate, gate
from gauntlet.stages.candidate import Candidate

_BYTES_OF_MEGABYTE = 1_000_000


@gate(
    "artefact::files_as_packed",
    needs=("artefact",),
    remedy="The artefact was edited after it was packed. Find out who wrote into MLflow's store, then pack the model "
    "again with --from package.",
)
def files_as_packed(candidate: Candidate) -> Verdict:
    """Guard that the artefact's files are those that were packed, all of them and no other, by SHA-256.

    Of a model that the run packed, the code must also be what this version of Gauntlet ships. The note that MLflow
    itself leaves in a local store whenever it gives a model out is left out.
    """
    name, artefact = "artefact::files_as_packed", packed(candidate)
    expected = {path: digest for path, digest in artefact.files.items() if path != LOADING_NOTE}
    if not expected:
        return Verdict(
            name, Status.CONFIG_ERROR, "no digest was noted when the model was packed: nothing to compare with"
        )
    found = {path: digest for path, digest in file_digests(artefact.folder).items() if path != LOADING_NOTE}
    faults = [
        f"{path} {'is missing' if path not in found else 'was added' if path not in expected else 'was changed'}"
        for path in sorted({*expected, *found})
        if found.get(path) != expected.get(path)
    ]
    if faults:
        sentence = f"{artefact.folder}: {_some(faults)} since the model was packed"
        return Verdict(name, Status.FAIL, sentence, float(len(faults)), 0)
    if artefact.trust == "data" and (fault := code_fault(artefact.folder)) is not None:
        return Verdict(name, Status.FAIL, f"{artefact.folder}: {fault}", 1, 0)
    return Verdict(name, Status.PASS, f"all {len(found)} files are as they were packed", 0, 0)


@gate(
    "artefact::no_pickle",
    needs=("artefact",),
    remedy="Loading a pickle runs whatever code it names. Save the model in a format that holds data only (UBJ, skops, "
    "ONNX, JSON), and its code as a file.",
)
def no_pickle(candidate: Candidate) -> Verdict:
    """Guard that no file of the artefact holds a pickle, by content: whatever it is called, inside archives too.

    A pickle that is written as text inside another format (base64 in JSON) is not seen.
    """
    name, folder = "artefact::no_pickle", packed(candidate).folder
    files = file_digests(folder)
    if not files:
        return Verdict(name, Status.CONFIG_ERROR, f"{folder} holds no file: there is nothing to search")
    found = pickles_in(folder)
    if found:
        sentence = (
            f"{len(found)} of {len(files)} files hold a pickle, or cannot be looked into: {_some(found)} ({folder})"
        )
        return Verdict(name, Status.FAIL, sentence, float(len(found)), 0)
    return Verdict(name, Status.PASS, f"none of {len(files)} files holds a pickle", 0, 0)


@gate(
    "artefact::size_within_budget",
    bounds=("gates.artefact.maximum_megabytes",),
    needs=("artefact",),
    remedy="Look for files that do not belong to the model; else fit fewer or shallower trees, or raise "
    "gates.artefact.maximum_megabytes.",
)
def size_within_budget(candidate: Candidate) -> Verdict:
    """Guard the size of all of the artefact's files, which every server and every Spark worker loads."""
    name, folder = "artefact::size_within_budget", packed(candidate).folder
    bound = candidate.problem.gates.artefact.maximum_megabytes
    sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    if not sizes:
        return Verdict(name, Status.CONFIG_ERROR, f"{folder} holds no file: there is nothing to measure", 0, bound)
    megabytes = sum(sizes.values()) / _BYTES_OF_MEGABYTE
    within, largest = megabytes <= bound, max(sizes, key=sizes.__getitem__)
    sentence = (
        f"{len(sizes)} files are {megabytes:.2f} MB, {'within' if within else 'more than'} the {bound:g} MB of "
        f"gates.artefact.maximum_megabytes; the largest is {largest.relative_to(folder)}"
    )
    return Verdict(name, Status.PASS if within else Status.FAIL, sentence, megabytes, bound)


def _some(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


# What a file or a signature says comes before what the model answers: it explains what follows.
GATES: tuple[Gate, ...] = (
    files_as_packed,
    no_pickle,
    requirements_locked,
    signature_fits_table,
    output_is_one_probability,
    readback_equal,
    paths_agree,
    size_within_budget,
    latency_within_budget,
)
