"""This module provides the opening of an environment: its configuration, its stacks, and Terraform for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gauntlet.adapters.infra_stacks import Stacks, known_regions
from gauntlet.adapters.saved_plan import SavedPlan
from gauntlet.adapters.terraform import Limits, Terraform, find_terraform
from gauntlet.core.errors import InputError
from gauntlet.core.infra_config import InfraConfig, StackName, load_infra_config
from gauntlet.core.infra_inputs import stack_inputs
from gauntlet.core.problem_file import load_problem
from gauntlet.core.state import State


@dataclass(frozen=True)
class InfraOptions:
    """The options that every command about infrastructure has.

    Attributes:
        folder: The folder with ``infra.toml``.
        state: The state folder.
        timeout: After how many minutes a long command of Terraform is interrupted; None takes the usual.
    """

    folder: Path
    state: Path
    timeout: float | None = None


@dataclass(frozen=True)
class Environment:
    """An environment that was opened; nothing was started.

    Attributes:
        options: The command's options.
        config: What ``infra.toml`` says.
        inputs: The values of each stack's variables.
    """

    options: InfraOptions
    config: InfraConfig
    inputs: Mapping[StackName, Mapping[str, Any]]

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.config.environment

    @property
    def stacks(self) -> Stacks:
        """Its stacks on disk."""
        return Stacks(self.options.folder, self.config)

    def saved(self, stack: StackName) -> SavedPlan:
        """Return where a stack's plan is kept."""
        return SavedPlan(State(self.options.state), self.name, stack)

    @property
    def version(self) -> str:
        """The version of Terraform; one that the modules take."""
        return self._program[1]

    def terraform(self, stack: StackName) -> Terraform:
        """Return Terraform on a stack, with its backend connected.

        Raises:
            RequirementError: If there is no Terraform, it is too old, or the backend or the providers cannot be had.
            InputError: If the stack is not what ``infra.toml`` says now.
        """
        if stack not in self._connected:
            self.stacks.require(stack, self.inputs)
            # Its version first: an old one would fail at the configuration in words of its own.
            program, _ = self._program
            minutes = self.options.timeout
            limits = Limits() if minutes is None else Limits(long=minutes * 60)
            terraform = Terraform(self.stacks.folder(stack), program=program, limits=limits)
            terraform.init(backend=self.stacks.backend(stack))
            self._connected[stack] = terraform
        return self._connected[stack]

    def join(self) -> bool:
        """Give stack ``workspace`` what stack ``infra`` made; return whether it has made anything."""
        outputs = self.terraform("infra").outputs()
        if outputs:
            self.stacks.join({name: output.value for name, output in outputs.items() if not output.sensitive})
        return bool(outputs)

    @cached_property
    def _connected(self) -> dict[StackName, Terraform]:
        return {}

    @cached_property
    def _program(self) -> tuple[Path, str]:
        program = find_terraform()
        return program, Terraform(self.options.folder, program=program).version()


def opened(options: InfraOptions) -> Environment:
    """Return the environment that a folder describes.

    Raises:
        InputError: If there is no ``infra.toml``, or it or the problem file is wrong.
    """
    config = load_infra_config(options.folder, regions=known_regions())
    path = config.pipeline.problem
    problem = load_problem(None if path is None else options.folder / path)
    if "databricks" not in problem.names:
        raise InputError(f"{path}: names.databricks: missing; the stacks make what it names")
    wheel = config.pipeline.wheel
    if wheel is not None and not (options.folder / wheel).is_file():
        raise InputError(f"{options.folder / wheel}: pipeline.wheel: no such file; `python -m build --wheel` makes one")
    return Environment(options, config, stack_inputs(config, problem.names["databricks"]))
