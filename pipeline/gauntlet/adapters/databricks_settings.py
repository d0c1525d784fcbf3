"""This module provides which Databricks workspace is meant, and who asks: exactly as Databricks' own SDK finds it out.

That is the environment (``DATABRICKS_HOST`` with ``DATABRICKS_TOKEN``, or ``DATABRICKS_CLIENT_ID`` and
``DATABRICKS_CLIENT_SECRET`` for OAuth …), a profile of ``~/.databrickscfg`` (``DATABRICKS_CONFIG_PROFILE``), Azure's
own login, or the notebook or job that this runs in. Nothing of it is kept or repeated by Gauntlet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gauntlet import __version__
from gauntlet.core.errors import GauntletError, RequirementError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

# For how long a call is tried again: the SDK's own five minutes are too long for a mistyped host.
RETRY_SECONDS = 30
_HTTP_SECONDS = 60
_HOW = (
    "set DATABRICKS_HOST and DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET), or choose a "
    "profile with DATABRICKS_CONFIG_PROFILE (`databricks auth login` makes one)"
)


@dataclass(frozen=True)
class DatabricksSettings:
    """A workspace, and who asks it.

    Attributes:
        host: Its address.
        kind: How its clients prove who they are: ``pat``, ``oauth-m2m``, ``azure-cli`` …
        cluster: The cluster that a session runs on; None where none is named.
        serverless: Whether a session is to run on serverless compute.
        config: The SDK's configuration; its secrets are never shown.
    """

    host: str
    kind: str
    cluster: str | None
    serverless: bool
    config: Any = field(repr=False)

    def client(self) -> WorkspaceClient:
        """Return the SDK's client."""
        from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - not every target needs it

        return WorkspaceClient(config=self.config)

    def user(self) -> str:
        """Return who asks, as the workspace knows them.

        Raises:
            RequirementError: If the workspace cannot be reached, or refuses.
        """
        with self.asked("who asks"):
            return str(self.client().current_user.me().user_name or "")

    @contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Turn whatever goes wrong between here and the workspace into one clear error.

        Args:
            what: What the workspace is asked for, for the message.
        """
        try:
            yield
        except GauntletError:
            raise
        except Exception as error:
            raise self._explained(error, what) from error

    def _explained(self, error: Exception, what: str) -> RequirementError:
        from databricks.sdk.errors import PermissionDenied, Unauthenticated  # noqa: PLC0415 - see above
        from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415

        reason = _short(error)
        # The SDK says of a refused OAuth login only what the login's own answer said.
        refused = isinstance(error, ValueError) and "invalid_client" in reason
        if (
            refused
            or isinstance(error, Unauthenticated)
            or (isinstance(error, PermissionDenied) and "token" in reason.lower())
        ):
            return RequirementError(
                f"{self.host}: refused the credentials ({self.kind}: {reason}); renew them, or {_HOW}"
            )
        if isinstance(error, PermissionDenied):
            return RequirementError(f"{self.host}: does not allow {what} ({reason}); ask for the permission")
        if isinstance(error, DatabricksError) and error.error_code:
            return RequirementError(f"{self.host}: could not be asked {what} ({error.error_code}: {reason})")
        return RequirementError(
            f"{self.host}: no answer when asked {what} ({type(error).__name__}: {reason}); see that the host is right"
        )


def databricks_settings(*, retry_seconds: int = RETRY_SECONDS) -> DatabricksSettings:
    """Return which workspace is meant; it is not asked anything but where its login is.

    Args:
        retry_seconds: For how long a call that fails is tried again.

    Raises:
        RequirementError: If the SDK is not installed, or finds no workspace or no way to log in.
    """
    try:
        from databricks.sdk.core import Config  # noqa: PLC0415 - not every target needs it
    except ImportError as error:
        raise RequirementError(
            "target databricks needs databricks-sdk, which is not installed; pip install 'gauntlet-mlops[databricks]'"
        ) from error
    try:
        config = Config(
            product="gauntlet",
            product_version=__version__,
            retry_timeout_seconds=retry_seconds,
            http_timeout_seconds=_HTTP_SECONDS,
        )
    except ValueError as error:
        raise RequirementError(f"target databricks: no workspace to log in to ({_short(error)}); {_HOW}") from error
    if not config.host:
        raise RequirementError(f"target databricks: nobody says where the workspace is; {_HOW}")
    return DatabricksSettings(
        host=str(config.host).rstrip("/"),
        kind=str(config.auth_type),
        cluster=config.cluster_id or None,
        serverless=bool(config.serverless_compute_id),
        config=config,
    )


def on_cluster() -> bool:
    """Say whether this process runs on a Databricks cluster or serverless compute, where Spark is already there."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def _short(error: Exception) -> str:
    # The SDK's messages go on with a summary of all that it has found.
    return " ".join(str(error).split(". Config:")[0].split(", please check")[0].split())[:300].rstrip(".")
