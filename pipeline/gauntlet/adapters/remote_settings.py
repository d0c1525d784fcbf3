"""This module provides where target ``remote`` is: from the environment, or from the stack of the state folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gauntlet.core.errors import InputError, RequirementError
from gauntlet.core.hosts import is_loopback
from gauntlet.core.state import State

SPARK_VARIABLE = "GAUNTLET_REMOTE_SPARK"
MLFLOW_VARIABLE = "GAUNTLET_REMOTE_MLFLOW"
PLAIN_VARIABLE = "GAUNTLET_REMOTE_PLAIN_HTTP"
_DEFAULT_SPARK_PORT = 15002
_ASK_SECONDS = 10.0
_HOW = (
    f"set {SPARK_VARIABLE} (sc://HOST:PORT) and {MLFLOW_VARIABLE} (http://HOST:PORT), or start both here with "
    "`gauntlet stack up`"
)


@dataclass(frozen=True)
class RemoteSettings:
    """Where the servers are.

    Attributes:
        spark: The Spark Connect server, ``sc://HOST:PORT``.
        mlflow: The MLflow server, ``http://HOST:PORT`` or ``https://…``.
        credentials: Environment variables that its clients need, where the environment does not give them.
        not_checked: What these servers cannot show, one sentence each.
    """

    spark: str
    mlflow: str
    credentials: Mapping[str, str]
    not_checked: tuple[str, ...] = ()

    def give_credentials(self) -> None:
        """Put the credentials where the clients look for them; what is there already stays."""
        for name, value in self.credentials.items():
            os.environ.setdefault(name, value)

    def fault_of_spark(self) -> str | None:
        """Return why Spark's server cannot be reached; None if somebody listens there."""
        parts = urlsplit(self.spark)
        try:
            with socket.create_connection((parts.hostname or "", parts.port or _DEFAULT_SPARK_PORT), _ASK_SECONDS):
                return None
        except (OSError, ValueError) as error:
            return f"{self.spark}: no connection ({error})"

    def fault_of_mlflow(self) -> str | None:
        """Return why MLflow's server cannot be used; None if it answers to the credentials."""
        import requests  # noqa: PLC0415 - takes a while to import

        known = {**self.credentials, **os.environ}
        user = known.get("MLFLOW_TRACKING_USERNAME", "")
        verify = known.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or known.get("MLFLOW_TRACKING_INSECURE_TLS") != "true"
        try:
            answer = requests.get(
                f"{self.mlflow.rstrip('/')}/api/2.0/mlflow/experiments/search",
                params={"max_results": "1"},
                auth=(user, known.get("MLFLOW_TRACKING_PASSWORD", "")),
                timeout=_ASK_SECONDS,
                verify=verify,
            )
        except requests.exceptions.SSLError as error:
            return f"{self.mlflow}: its certificate is not trusted ({_short(error)})"
        except (requests.exceptions.RequestException, ValueError) as error:
            return f"{self.mlflow}: no answer ({_short(error)})"
        if answer.status_code in (401, 403):
            return f"{self.mlflow}: refused the password of {user or 'nobody'} (HTTP {answer.status_code})"
        return None if answer.ok else f"{self.mlflow}: answered HTTP {answer.status_code}"


def remote_settings(state: State) -> RemoteSettings:
    """Return where the servers are.

    Without the variables they are the stack of the state folder or, where it has none, of the folder that it lies in:
    each of several problems has a folder inside the state folder whose stack they share.

    Raises:
        InputError: If an address is none that can be used.
        RequirementError: If nobody says where they are.
    """
    spark, mlflow = os.environ.get(SPARK_VARIABLE), os.environ.get(MLFLOW_VARIABLE)
    if spark and mlflow:
        found = RemoteSettings(_checked(spark, SPARK_VARIABLE, "sc"), _checked(mlflow, MLFLOW_VARIABLE, "http"), {})
        _require_private(found.mlflow)
        return found
    if spark or mlflow:
        raise RequirementError(f"{MLFLOW_VARIABLE if spark else SPARK_VARIABLE} is not set; {_HOW}")
    return _of_stack(state)


def _of_stack(state: State) -> RemoteSettings:
    from gauntlet.adapters.stack import Stack, address  # noqa: PLC0415 - only where no address is given
    from gauntlet.adapters.stack_servers import credentials  # noqa: PLC0415

    stacks = (Stack(folder) for folder in (state, State(state.root.resolve().parent)))
    stack = next((stack for stack in stacks if stack.known() is not None), Stack(state))
    known, secrets = stack.known(), stack.secrets()
    if known is None or secrets is None:
        raise RequirementError(f"target remote: nobody says where its servers are; {_HOW}")
    return RemoteSettings(
        spark=address("spark", known.servers["spark"].port),
        mlflow=address("mlflow", known.servers["mlflow"].port),
        credentials=credentials(secrets),
        not_checked=known.not_checked,
    )


def _require_private(mlflow: str) -> None:
    """Make sure that no password or token of MLflow's crosses a network in plain text. Spark's client sees to its own.

    Raises:
        InputError: If one would, and nobody said that it may.
    """
    parts = urlsplit(mlflow)
    secrets = [n for n in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN") if os.environ.get(n)]
    if parts.scheme == "http" and secrets and not is_loopback(parts.hostname) and os.environ.get(PLAIN_VARIABLE) != "1":
        raise InputError(
            f"{MLFLOW_VARIABLE}={mlflow}: {secrets[0]} would cross the network in plain text; give an https:// "
            f"address, or set {PLAIN_VARIABLE}=1 if the network between is yours alone"
        )


def _checked(text: str, name: str, scheme: str) -> str:
    parts = urlsplit(text)
    if not parts.scheme.startswith(scheme) or not parts.hostname:
        raise InputError(f"{name}={text}: expected {scheme}://HOST:PORT")
    if parts.password:
        raise InputError(f"{name}: give the password as MLFLOW_TRACKING_PASSWORD, not in the address")
    return text


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
