"""Unity Catalog's model registry: three-level names, signatures required, aliases and no stages."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.workspace_stand_in.answers import Answer, Refusal, Request, document, invalid, missing, taken
from tests.workspace_stand_in.files import Files

_PREFIX = "/api/2.0/mlflow/unity-catalog/"
_FLAG = "registered-models:is-databricks-sdk-models-artifact-repository-enabled"
_RESERVED = ".,-=/:"
_FILTER = re.compile(r"^\s*(name|run_id)\s*=\s*'([^']*)'\s*$")
_LONGEST_TAG = 256


@dataclass
class Version:
    """A version, which can be had once it is finalized."""

    number: int
    source: str
    run_id: str
    model_id: str
    tags: dict[str, str]
    status: str = "PENDING_REGISTRATION"


@dataclass
class Model:
    """A registered model."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)
    made: int = 0

    @property
    def place(self) -> str:
        """The folder of its versions' files."""
        return f"/Models/{self.name.replace('.', '/')}"


@dataclass
class Models:
    """The registered models of one schema.

    Attributes:
        schema: The schema that there is.
        files: Where the versions' files are put.
    """

    schema: str
    files: Files
    models: dict[str, Model] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.files.may_write = self._may_write
        self._acts = {
            ("POST", "registered-models/create"): self._create_model,
            ("GET", "registered-models/get"): self._get_model,
            ("POST", "registered-models/alias"): self._set_alias,
            ("DELETE", "registered-models/alias"): self._delete_alias,
            ("GET", "registered-models/alias"): self._get_by_alias,
            ("POST", "model-versions/create"): self._create_version,
            ("GET", "model-versions/get"): self._get_version,
            ("GET", "model-versions/search"): self._search,
            ("POST", "model-versions/finalize"): self._finalize,
            ("POST", "model-versions/generate-temporary-credentials"): self._credentials,
            ("GET", "model-versions/get-download-uri"): self._download_address,
            ("POST", "model-versions/set-tag"): self._set_tag,
            ("DELETE", "model-versions/delete-tag"): self._delete_tag,
            ("POST", "model-versions/emit-lineage"): lambda _asked: document({}),
            ("GET", _FLAG): lambda _asked: document({"is_databricks_sdk_models_artifact_repository_enabled": True}),
        }

    def answer(self, request: Request) -> Answer | None:
        """Answer a request, if it is one of Unity Catalog's registry, or of a registry that has stages."""
        if request.path.startswith(("/api/2.0/mlflow/model-versions/", "/api/2.0/mlflow/registered-models/")):
            raise Refusal(
                403, "PERMISSION_DENIED", "The workspace model registry is disabled; use Unity Catalog, without stages."
            )
        act = self._acts.get((request.method, request.path.removeprefix(_PREFIX)))
        if act is None or not request.path.startswith(_PREFIX):
            return None
        with self.lock:
            return act(request.document)

    def _create_model(self, asked: dict[str, Any]) -> Answer:
        name = str(asked.get("name", ""))
        levels = name.split(".")
        if len(levels) != 3 or not all(re.fullmatch(r"\w+", level) for level in levels):
            raise invalid(
                f"'{name}' is not a valid name for a registered model in Unity Catalog. Please specify all three "
                "levels of the model in the form `catalog_name.schema_name.model_name`"
            )
        if ".".join(levels[:2]) != self.schema:
            raise missing(f"Schema '{'.'.join(levels[:2])}' does not exist.", code="NOT_FOUND")
        if name in self.models:
            raise taken(f"Registered model '{name}' already exists.")
        self.models[name] = Model(name, _checked(asked.get("tags", ())))
        return document({"registered_model": _model(self.models[name])})

    def _get_model(self, asked: dict[str, Any]) -> Answer:
        return document({"registered_model": _model(self._of(asked))})

    def _set_alias(self, asked: dict[str, Any]) -> Answer:
        model, version = self._of(asked), self._version(asked)
        if version.status != "READY":
            raise invalid(f"Version {version.number} of '{model.name}' is not ready.")
        model.aliases[str(asked["alias"])] = version.number
        return document({})

    def _delete_alias(self, asked: dict[str, Any]) -> Answer:
        if self._of(asked).aliases.pop(str(asked["alias"]), None) is None:
            raise missing(f"Alias '{asked['alias']}' does not exist.")
        return document({})

    def _get_by_alias(self, asked: dict[str, Any]) -> Answer:
        model = self._of(asked)
        if asked["alias"] not in model.aliases:
            raise missing(f"Alias '{asked['alias']}' does not exist.")
        return document({"model_version": _version(model, model.versions[model.aliases[asked["alias"]]])})

    def _create_version(self, asked: dict[str, Any]) -> Answer:
        model = self._of(asked)
        tags = _checked(asked.get("tags", ()))
        model.made += 1
        version = Version(model.made, asked.get("source", ""), asked.get("run_id", ""), asked.get("model_id", ""), tags)
        model.versions[version.number] = version
        return document({"model_version": _version(model, version)})

    def _get_version(self, asked: dict[str, Any]) -> Answer:
        return document({"model_version": _version(self._of(asked), self._version(asked))})

    def _search(self, asked: dict[str, Any]) -> Answer:
        condition = _FILTER.match(str(asked.get("filter", "")))
        if condition is None:
            raise invalid(f"Unsupported filter: {asked.get('filter')!r}; expected name = '...' or run_id = '...'")
        key, value = condition.groups()
        found = [
            _version(model, version, searched=True)
            for model in self.models.values()
            for version in model.versions.values()
            if value == (model.name if key == "name" else version.run_id)
        ]
        return document({"model_versions": found})

    def _finalize(self, asked: dict[str, Any]) -> Answer:
        model, version = self._of(asked), self._version(asked)
        held = self.files.below(f"{model.place}/{version.number}").get("MLmodel")
        signature = (yaml.safe_load(held) or {}).get("signature") if held else None
        if not signature or not signature.get("inputs") or not signature.get("outputs"):
            raise invalid("Model version files hold no MLmodel with a signature of inputs and outputs.")
        version.status = "READY"
        return document({"model_version": _version(model, version)})

    def _credentials(self, asked: dict[str, Any]) -> Answer:
        self._version(asked)
        # Default storage: MLflow's client then goes through the Files API, with addresses that are signed.
        return document({"credentials": {"storage_mode": "DEFAULT_STORAGE", "expiration_time": 2**41}})

    def _download_address(self, asked: dict[str, Any]) -> Answer:
        return document({"artifact_uri": f"dbfs:{self._of(asked).place}/{self._version(asked).number}"})

    def _set_tag(self, asked: dict[str, Any]) -> Answer:
        self._version(asked).tags |= _checked([asked])
        return document({})

    def _delete_tag(self, asked: dict[str, Any]) -> Answer:
        if self._version(asked).tags.pop(str(asked["key"]), None) is None:
            raise missing(f"Tag '{asked['key']}' does not exist.")
        return document({})

    def _of(self, asked: dict[str, Any]) -> Model:
        name = str(asked.get("name", ""))
        if name not in self.models:
            raise missing(f"Registered model '{name}' does not exist.")
        return self.models[name]

    def _version(self, asked: dict[str, Any]) -> Version:
        model, number = self._of(asked), str(asked.get("version", ""))
        if not number.isdigit() or int(number) not in model.versions:
            raise missing(f"Model version '{number}' of '{model.name}' does not exist.")
        return model.versions[int(number)]

    def _may_write(self, path: str) -> bool:
        """Say whether a file may be put there: a version's may until it is finalized, and never again."""
        if not path.startswith("/Models/"):
            return True
        model = self.models.get(".".join(path.split("/")[2:5]))
        number = path.split("/")[5]
        version = model.versions.get(int(number)) if model and number.isdigit() else None
        return version is not None and version.status == "PENDING_REGISTRATION"


def _checked(tags: Iterable[dict[str, Any]]) -> dict[str, str]:
    found = {str(tag["key"]): str(tag.get("value", "")) for tag in tags}
    for name, value in found.items():
        if any(mark in name for mark in _RESERVED):
            reserved = ", ".join(_RESERVED)
            raise invalid(f"Tag name {name} contains one or more of the reserved characters: List({reserved})")
        if len(value) > _LONGEST_TAG:
            raise invalid(f"Tag value of {name} is longer than {_LONGEST_TAG} characters")
    return found


def _model(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "aliases": [{"alias": alias, "version": str(number)} for alias, number in model.aliases.items()],
        "tags": _pairs(model.tags),
        "creation_timestamp": int(time.time() * 1000),
    }


def _version(model: Model, version: Version, *, searched: bool = False) -> dict[str, Any]:
    """Return what is said of a version; a search says neither tags nor aliases."""
    found: dict[str, Any] = {
        "name": model.name,
        "version": str(version.number),
        "source": version.source,
        "run_id": version.run_id,
        "model_id": version.model_id,
        "status": version.status,
        "storage_location": f"dbfs:{model.place}/{version.number}",
        "creation_timestamp": int(time.time() * 1000),
    }
    if not searched:
        found["tags"] = _pairs(version.tags)
        found["aliases"] = [
            {"alias": alias, "version": str(number)}
            for alias, number in model.aliases.items()
            if number == version.number
        ]
    return found


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
