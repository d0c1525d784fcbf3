"""This module provides the model registry: versions with tags, and aliases that name one of them. No stages.

"There is none" and "it could not be asked" are never confused: the first needs the registry's own word that the model
does not exist, or a model of which the registry lists the aliases; anything else is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gauntlet.adapters.tracking import STAGE_KEY_TAG, Tracking
from gauntlet.core.errors import GauntletError, RefusedError, RequirementError
from gauntlet.core.results import ModelVersion

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.pyfunc import PyFuncModel

CHAMPION = "champion"
BASELINE = "baseline"

# The tags of a version; all values are texts.
MODEL_DIGEST_TAG = "gauntlet.model_digest"
SELECTION_TAG = "gauntlet.selection_digest"
THRESHOLD_TAG = "gauntlet.threshold"
REPLACES_TAG = "gauntlet.replaces"
REPLACED_BY_TAG = "gauntlet.replaced_by"
STATUS_TAG = "gauntlet.status"

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
            return dict(self._client.get_model_version(version.name, str(version.version)).tags)

    def find(self, *, key: str, model_digest: str) -> ModelVersion | None:
        """Return the newest complete version that a stage made under a key; None if it made none.

        Args:
            key: The stage's key.
            model_digest: The digest of the model that the version must hold.
        """
        with _asked(f"for the versions of {self.name}"):
            if self._model() is None:
                return None
            for number in self._numbers():
                # Unity Catalog's search gives no tags, so each version is asked for.
                found = self._client.get_model_version(self.name, str(number))
                mine = found.tags.get(STAGE_KEY_TAG) == key and found.tags.get(MODEL_DIGEST_TAG) == model_digest
                if mine and str(found.status) == "READY":
                    return _known(found)
        return None

    def create(self, *, model_uri: str, tags: Mapping[str, str]) -> ModelVersion:
        """Make a version of a logged model; its tags are there from its first moment.

        Args:
            model_uri: The logged model.
            tags: The version's tags, among them the stage's key, by which a second try finds the version.
        """
        import mlflow  # noqa: PLC0415 - takes seconds to import

        self._point()
        return _known(mlflow.register_model(model_uri, self.name, tags=dict(tags)))

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
            self._client.set_registered_model_alias(self.name, alias, str(version.version))

    def restore_alias(self, alias: str, version: ModelVersion | None, *, expected: ModelVersion) -> None:
        """Let an alias name what it named before, which may be nothing, if it still names the expected version."""
        if version is not None:
            self.move_alias(alias, version, expected=expected)
            return
        self._require(alias, expected)
        self._client.delete_registered_model_alias(self.name, alias)

    def tag(self, version: ModelVersion, tags: Mapping[str, str | None]) -> None:
        """Set tags of a version; None takes a tag away."""
        present = self.tags(version)
        for name, value in tags.items():
            if value is None and name in present:
                self._client.delete_model_version_tag(version.name, str(version.version), name)
            elif value is not None and present.get(name) != value:
                self._client.set_model_version_tag(version.name, str(version.version), name, value)

    def uri(self, version: ModelVersion) -> str:
        """Return the address of a version.

        Addresses always have the number, never an alias: MLflow keeps models by address inside warm Spark workers
        (Spark Connect), and would go on serving the old version after the alias moved.
        """
        return f"models:/{version.name}/{version.version}"

    def load(self, version: ModelVersion) -> PyFuncModel:
        """Load a version."""
        import mlflow  # noqa: PLC0415 - takes seconds to import

        self._point()
        model: PyFuncModel = mlflow.pyfunc.load_model(self.uri(version), suppress_warnings=True)
        return model

    def load_by_alias(self, alias: str) -> tuple[ModelVersion, PyFuncModel]:
        """Load the version that an alias names; the alias is resolved first.

        Raises:
            RefusedError: If there is no such alias.
        """
        version = self.version_of(alias)
        if version is None:
            raise RefusedError(f"{self.name} has no version with the alias {alias}")
        return version, self.load(version)

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


def _known(found: MlflowVersion) -> ModelVersion:
    return ModelVersion(name=str(found.name), version=int(found.version), run_id=str(found.run_id or ""))


@contextmanager
def _asked(what: str) -> Iterator[None]:
    """Turn whatever goes wrong while the registry is asked into one clear error."""
    try:
        yield
    except GauntletError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise RequirementError(
            f"the model registry could not be asked {what} ({type(error).__name__}: {reason}); nothing is assumed in "
            "its place: see to the registry and run again"
        ) from error
