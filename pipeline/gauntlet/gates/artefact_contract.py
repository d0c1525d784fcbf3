"""This module provides the gate on the packed model's contract: what it says that it takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.artefact import load_packed
from gauntlet.core.problem import Column
from gauntlet.core.verdict import Status, Verdict
from gauntlet.gates.artefact_answers import packed
from gauntlet.gates.gate import gate
from gauntlet.stages.candidate import Candidate

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


@gate(
    "artefact::signature_fits_table",
    needs=("artefact", "tables"),
    remedy="Log the model with the problem's signature: its features in the problem file's order, texts as string, all "
    "others as double, optional where nullable; one double as output. Unity Catalog takes no model without one.",
)
def signature_fits_table(candidate: Candidate) -> Verdict:
    """Guard that the artefact's signature names the features as problem and curated table have them, and one double.

    Compared are names, types, order, and what may be left out; MLflow enforces what the signature says at every call.
    """
    name, features = "artefact::signature_fits_table", candidate.problem.features
    if "curated" not in candidate.tables:
        return Verdict(name, Status.CONFIG_ERROR, "there is no curated table to hold the signature against")
    signature = load_packed(packed(candidate).verified).signature
    if signature is None:
        return Verdict(name, Status.FAIL, "the model has no signature, so nothing checks what it is given")
    faults = [*_input_faults(signature, features), *_output_faults(signature)]
    faults += _table_faults(candidate.tables["curated"]().kinds, features)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return Verdict(name, Status.FAIL, f"{faults[0]}{more}", float(len(faults)), 0)
    sentence = f"the signature takes the curated table's {len(features)} features, in order, and gives one double"
    return Verdict(name, Status.PASS, sentence, 0, 0)


def _input_faults(signature: ModelSignature, features: tuple[Column, ...]) -> Iterator[str]:
    inputs = [_described(column) for column in (signature.inputs or ())]
    expected = [
        f"{column.name} ({_type_of(column)}, {'optional' if column.nullable else 'required'})" for column in features
    ]
    if len(inputs) != len(expected):
        yield f"the signature has {len(inputs)} inputs, the problem {len(expected)} features"
    for number, (found, wanted) in enumerate(zip(inputs, expected, strict=False), start=1):
        if found != wanted:
            yield f"input {number} of the signature is {found}, feature {number} of the problem is {wanted}"


def _output_faults(signature: ModelSignature) -> Iterator[str]:
    outputs = [_described(column) for column in (signature.outputs or ())]
    types = [str(getattr(column.type, "name", column.type)) for column in (signature.outputs or ())]
    if types != ["double"]:
        yield f"the signature's output is {', '.join(outputs) or 'nothing'}, not one double"


def _table_faults(kinds: Mapping[str, str], features: tuple[Column, ...]) -> Iterator[str]:
    for column in features:
        found = kinds.get(column.name)
        if found != _type_of(column):
            yield f"{column.name} of the curated table is {found or 'missing'}, not {_type_of(column)}"


def _type_of(column: Column) -> str:
    """Return the type of a feature's values in the curated table, which MLflow calls by the same name."""
    return "string" if column.kind == "text" else "double"


def _described(column: Any) -> str:
    kind = getattr(column.type, "name", column.type)
    return f"{column.name} ({kind}, {'required' if column.required else 'optional'})"
