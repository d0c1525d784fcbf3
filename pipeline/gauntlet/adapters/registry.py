"""This module provides the model registry: versions with tags, and aliases that name one of them. No stages.

"There is none" and "it could not be asked" are never confused: the first needs the registry's own word that the model
does not exist, or a model of which the registry lists the aliases; anything else is an error.

An alias of MLflow has no compare-and-swap, on any target. So the alias ``champion`` moves only under an open claim of
the promotion ledger, which has one.

Unity Catalog reserves the characters ``. , - = / :`` in the names of tags. So a tag is kept with an underscore for its
dot, on every target, and is called by its name again where it is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gauntlet.adapters.artefact_copies import copied_artefact
from gauntlet.adapters.tracking import STAGE_KEY_TAG, Tracking
from gauntlet.core.errors import GauntletError, RefusedError, RequirementError
from gauntlet.core.results import ModelVersion

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

CHAMPION = "champion"
BASELINE = "baseline"

# The tags of a version; all values are texts.
MODEL_DIGEST_TAG = "gauntlet.model_digest"
SELECTION_TAG = "gauntlet.selection_digest"
THRESHOLD_TAG = "gauntlet.threshold"
REPLACES_TAG = "gauntlet.replaces"
REPLACED_BY_TAG = "gauntlet.replaced_by"
STATUS_TAG = "gauntlet.status"
EVIDENCE_TAG = "gauntlet.evidence"
ARTEFACT_TAG = "gauntlet.artefact_digest"

# What STATUS_TAG says of a version that was, is or was to be champion.
Status = Literal["candidate", "champion", "archived", "refused"]

# What the names of all tags of ours begin with.
_TAGS = "gauntlet"
_PAGE = 200


@dataclass(frozen=True)
class Registry:
    """One registered model.

    Attributes:
        tracking: MLflow, which the registry belongs to.
        name: The model's three-level name.
    """

    tracking: Tracking
    name: str

    def version_of(self, alias: str) -> ModelVersion | None:
        """Return the version that an alias names; None only if the registry says that there is no such alias.

        Raises:
            RequirementError: If the registry could not be asked, or names a version that it does not have.
        """
        with _asked(f"which version of {self.name} has the alias {alias}"):
            model = self._model()
            number = None if model is None else model.aliases.get(alias)
            return None if number is None else _known(self._client.get_model_version(self.name, str(number)))

    def version(self, number: int) -> ModelVersion:
        """Return a version by its number.

        Raises:
            RequirementError: If there is none, or the registry could not be asked.
        """
        with _asked(f"for version {number} of {self.name}"):
            return _known(self._client.get_model_version(self.name, str(number)))

    def tags(self, version: ModelVersion) -> dict[str, str]:
        """Return a version's tags."""
        with _asked(f"for the tags of version {version.version} of {version.name}"):
            return _named(self._client.get_model_version(version.name, str(version.version)).tags)

    def find(self, *, key: str, model_digest: str) -> ModelVersion | None:
        """Return the newest complete version that a stage made under a key; None if it made none.

        Args:
            key: The stage's key.
            model_digest: The digest of the model that the version must hold.
        """
        return self.find_tagged({STAGE_KEY_TAG: key, MODEL_DIGEST_TAG: model_digest})

    def find_tagged(self, tags: Mapping[str, str]) -> ModelVersion | None:
        """Return the newest complete version that has all these tags; None if none has."""
        for version, present in self.versions():
            if tags.items() <= present.items():
                return version
        return None

    def versions(self) -> Iterator[tuple[ModelVersion, dict[str, str]]]:
        """Yield every complete version with its tags, the newest first.

        Raises:
            RequirementError: If the registry could not be asked.
        """
        with _asked(f"for the versions of {self.name}"):
            numbers = [] if self._model() is None else self._numbers()
        for number in numbers:
            with _asked(f"for version {number} of {self.name}"):
                # Unity Catalog's search gives no tags, so each version is asked for.
                found = self._client.get_model_version(self.name, str(number))
            if str(found.status) == "READY":
                yield _known(found), _named(found.tags)

    def create(self, *, model_uri: str, tags: Mapping[str, str]) -> ModelVersion:
        """Make a version of a logged model; its tags are there from its first moment.

        Args:
            model_uri: The logged model.
            tags: The version's tags, among them the stage's key, by which a second try finds the version.
        """
        import mlflow  # noqa: PLC0415 - takes seconds to import

        self._point()
        with _reached(f"could not make a version of {model_uri}"):
            return _known(mlflow.register_model(model_uri, self.name, tags={_kept(k): v for k, v in tags.items()}))

    def move_alias(self, alias: str, version: ModelVersion, *, expected: ModelVersion | None) -> None:
        """Let an alias name a version, if it still names the expected one.

        No registry of MLflow compares and sets in one step, so between the two another process might move it too.

        Args:
            alias: The alias.
            version: The version that it shall name.
            expected: The version that it names now; None for none.

        Raises:
            RefusedError: If the alias names another version than expected; nothing was changed.
        """
        self._require(alias, expected)
        if expected is None or expected.version != version.version:
            with _reached(f"could not let {alias} name version {version.version} of {self.name}"):
                self._client.set_registered_model_alias(self.name, alias, str(version.version))

    def restore_alias(self, alias: str, version: ModelVersion | None, *, expected: ModelVersion) -> None:
        """Let an alias name what it named before, which may be nothing, if it still names the expected version."""
        if version is not None:
            self.move_alias(alias, version, expected=expected)
            return
        self._require(alias, expected)
        with _reached(f"could not take the alias {alias} of {self.name} away"):
            self._client.delete_registered_model_alias(self.name, alias)

    def tag(self, version: ModelVersion, tags: Mapping[str, str | None]) -> None:
        """Set tags of a version; None takes a tag away."""
        present = self.tags(version)
        with _reached(f"could not tag version {version.version} of {version.name}"):
            for name, value in tags.items():
                if value is None and name in present:
                    self._client.delete_model_version_tag(version.name, str(version.version), _kept(name))
                elif value is not None and present.get(name) != value:
                    self._client.set_model_version_tag(version.name, str(version.version), _kept(name), value)

    def uri(self, version: ModelVersion) -> str:
        """Return the address of a version.

        Addresses always have the number, never an alias: MLflow keeps models by address inside warm Spark workers
        (Spark Connect), and would go on serving the old version after the alias moved.
        """
        return f"models:/{version.name}/{version.version}"

    @contextmanager
    def artefact(self, version: ModelVersion) -> Iterator[Path]:
        """Give a folder with a copy of a version's files, which nobody has verified; it is gone afterwards.

        Raises:
            RequirementError: If they cannot be had.
        """
        with tempfile.TemporaryDirectory(prefix="gauntlet-model-") as folder:
            yield copied_artefact(self.tracking, self.uri(version), folder=Path(folder))

    @property
    def _client(self) -> Any:
        return self.tracking.client

    def _point(self) -> None:
        """Point MLflow's fluent interface, which is one for the whole process, at this registry."""
        import mlflow  # noqa: PLC0415 - takes seconds to import

        _ = self.tracking.client
        mlflow.set_tracking_uri(self.tracking.tracking_uri)
        mlflow.set_registry_uri(self.tracking.registry_uri)

    def _model(self) -> Any:
        """Return the registered model; None only if the registry says that it does not exist."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds to import

        try:
            return self._client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _numbers(self) -> list[int]:
        numbers: list[int] = []
        token: str | None = None
        while True:
            page = self._client.search_model_versions(f"name='{self.name}'", max_results=_PAGE, page_token=token)
            numbers += [int(found.version) for found in page]
            token = page.token
            if not token:
                return sorted(numbers, reverse=True)

    def _require(self, alias: str, expected: ModelVersion | None) -> None:
        found = self.version_of(alias)
        if (found and found.version) != (expected and expected.version):
            names = f"version {found.version}" if found else "no version"
            was = f"version {expected.version}" if expected else "none"
            raise RefusedError(
                f"{self.name}: the alias {alias} names {names} now, not {was} as before; somebody else moved it, so "
                "nothing was changed: run again"
            )


def _kept(tag: str) -> str:
    """Return a tag's name as the registry keeps it."""
    return tag.replace(".", "_", 1)


def _named(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that the registry keeps, by their names."""
    return {
        f"{_TAGS}.{name.removeprefix(f'{_TAGS}_')}" if name.startswith(f"{_TAGS}_") else name: tags[name]
        for name in tags
    }


def _known(found: MlflowVersion) -> ModelVersion:
    return ModelVersion(name=str(found.name), version=int(found.version), run_id=str(found.run_id or ""))


def _asked(what: str) -> AbstractContextManager[None]:
    """Turn whatever goes wrong while the registry is asked into one clear error."""
    return _reached(f"could not be asked {what}")


@contextmanager
def _reached(fault: str) -> Iterator[None]:
    """Turn whatever goes wrong between here and the registry into one clear error, which begins with the fault."""
    try:
        yield
    except GauntletError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise RequirementError(
            f"the model registry {fault} ({type(error).__name__}: {reason}); nothing is assumed in its place: see to "
            "the registry and run again"
        ) from error
