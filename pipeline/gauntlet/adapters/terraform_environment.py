"""This module provides the environment that Terraform is started in: chosen by us, never just inherited."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gauntlet.adapters.held_key import KEY_VARIABLES

# These change what a command does (arguments added, another state selected, other folders) or write secrets into
# logs, and none of that can be seen in the command line that we give.
_INTERFERING = ("TF_CLI_ARGS", "TF_LOG", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_IN_AUTOMATION")
_CREDENTIALS = ("ARM_", "AZURE_", "DATABRICKS_", "TF_TOKEN_", "TF_VAR_", "ACTIONS_ID_TOKEN_", "SYSTEM_ACCESSTOKEN")
_SECRET_WORDS = ("SECRET", "TOKEN", "PASSWORD", "KEY", "SAS")
_SHORTEST_SECRET = 8
_ALWAYS = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}


def user_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a user's own Terraform: with credentials, without what would change a command.

    Args:
        base: The environment to start from; None takes this process's.
    """
    base = os.environ if base is None else base
    return {
        name: value for name, value in base.items() if not name.startswith((*_INTERFERING, *KEY_VARIABLES))
    } | _ALWAYS


def environment_without_credentials(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for tests: no variable, profile or login of a cloud reaches Terraform.

    Args:
        base: The environment to start from; None takes this process's.
    """
    kept = {name: value for name, value in user_environment(base).items() if not name.startswith(_CREDENTIALS)}
    # The Databricks provider reads a profile, and the Azure CLI a login, from the home folder.
    return kept | {"DATABRICKS_CONFIG_FILE": os.devnull, "AZURE_CONFIG_DIR": os.devnull}


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """Return a text in which the values of an environment's credentials are blotted out."""
    for name, value in environment.items():
        is_secret = name.startswith(_CREDENTIALS) and any(word in name for word in _SECRET_WORDS)
        if is_secret and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return text
