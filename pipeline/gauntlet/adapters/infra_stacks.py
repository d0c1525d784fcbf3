"""This module provides an environment's stacks on disk: the package's, copied, and the files written into them.

A user's folder::

    infra.toml                              what is wanted; the only file to be edited
    modules/                                the modules, as they were copied
    stacks/infra, stacks/workspace          two root modules, joined by outputs
        terraform.auto.tfvars.json          from infra.toml
        backend.conf                        from infra.toml; backend_override.tf where the state is kept in a file
        infra_outputs.auto.tfvars.json      in stacks/workspace: what stack infra made
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from gauntlet.core.canonical import digest, file_digest
from gauntlet.core.errors import InputError
from gauntlet.core.infra_config import STACKS, InfraConfig, StackName
from gauntlet.core.state import write_atomically

_INPUTS = "terraform.auto.tfvars.json"
_JOINT = "infra_outputs.auto.tfvars.json"
_BACKEND = "backend.conf"
_OVERRIDE = "backend_override.tf"
_MARK = "# Written by `gauntlet infra init` from infra.toml; edit that.\n"
_LOCAL_STATE = _MARK + 'terraform {\n  backend "local" {\n    path = "terraform.tfstate"\n  }\n}\n'
_GIT_IGNORE = ".terraform/\n*.tfstate\n*.tfstate.*\n*.tfplan\n"

_SHIPPED_SOURCE = re.compile(r'(?P<start>\bsource\s*=\s*")\.\./\.\./\.\./(?P<module>\w+")')
_VARIABLE = re.compile(r'^variable\s+"(?P<name>\w+)"', re.MULTILINE)
_NOT_COPIED = (".terraform", ".terraform.lock.hcl", "tests", "examples", "*.tfstate", "*.tfstate.*", _INPUTS, _JOINT)
_NOT_CONFIGURATION = re.compile(r"(^|/)(\.terraform/|tests/|[^/]*\.tfstate|[^/]*\.tfplan$|README\.md$)")


def packaged_modules() -> Path:
    """Return the folder of the modules and examples that ship with the package."""
    package = Path(str(resources.files("gauntlet")))
    if (package / "infra_modules").is_dir():
        return package / "infra_modules"
    # An editable installation has no copy of its own: the modules are at the top of the checkout.
    return package.parents[1] / "infra_modules"


def known_regions() -> tuple[str, ...]:
    """Return the regions that the modules know."""
    return tuple(json.loads((packaged_modules() / "azure_base" / "regions.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Stacks:
    """The stacks of one environment.

    Attributes:
        root: The folder with ``infra.toml``.
        config: What it says.
    """

    root: Path
    config: InfraConfig

    def folder(self, name: StackName) -> Path:
        """Return a stack's folder."""
        return self.root / self.config.stacks / name

    def backend(self, name: StackName) -> Path | None:
        """Return the file with a stack's backend settings; None where the state is kept in a file."""
        return self.folder(name) / _BACKEND if self.config.backend.kind == "azurerm" else None

    def write(self, inputs: Mapping[StackName, Mapping[str, Any]]) -> tuple[Path, ...]:
        """Copy the stacks where there are none yet, and write the files that ``infra.toml`` makes.

        Args:
            inputs: The values of each stack's variables.

        Returns:
            What was written or removed; nothing that was up to date.

        Raises:
            InputError: If a stack that is there does not declare a variable, or a file cannot be written.
        """
        missing = [name for name in STACKS if not self._is_there(name)]
        for name in STACKS:
            _refuse_undeclared(self.folder(name), inputs[name], declared=self._declared(name))
        try:
            done = [path for name in missing for path in self._copy(name)]
            for path, text in self._texts(inputs).items():
                if text is None and _text(path).startswith(_MARK):
                    path.unlink()
                    done.append(path)
                elif text is not None and _text(path) != text:
                    write_atomically(path, text)
                    done.append(path)
        except OSError as error:
            raise InputError(f"{error.filename or self.root}: cannot be written ({error.strerror})") from error
        return tuple(done)

    def require(self, name: StackName, inputs: Mapping[StackName, Mapping[str, Any]]) -> None:
        """Make sure that a stack is there and holds what ``infra.toml`` says now.

        Raises:
            InputError: If it is not so.
        """
        again = f"run `gauntlet infra init {self.root}`"
        if not self._is_there(name):
            raise InputError(f"{self.folder(name)}: no stack is there; {again}")
        for path, text in self._texts(inputs).items():
            unwanted = text is None and _text(path).startswith(_MARK)
            if path.parent == self.folder(name) and (unwanted or (text is not None and _text(path) != text)):
                raise InputError(f"{path}: is not what {self.root / 'infra.toml'} says now; {again}")

    def join(self, outputs: Mapping[str, Any]) -> None:
        """Give stack ``workspace`` what stack ``infra`` made: the outputs that it has a variable for."""
        wanted = self._declared("workspace")
        values = {name: value for name, value in outputs.items() if name in wanted}
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        path = self.folder("workspace") / _JOINT
        if _text(path) != text:
            write_atomically(path, text)

    def configuration_digest(self, name: StackName) -> str:
        """Return the digest of all that a plan of a stack is made from: its files, and those of its local modules."""
        folder = self.folder(name)
        files = {
            os.path.relpath(path, folder): file_digest(path)
            for source in (folder, *_module_folders(folder))
            for path in _configuration_files(source)
        }
        return digest(files)

    def _is_there(self, name: StackName) -> bool:
        return any(self.folder(name).glob("*.tf"))

    def _declared(self, name: StackName) -> frozenset[str]:
        folder = self.folder(name) if self._is_there(name) else _shipped(name)
        texts = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tf")))
        return frozenset(variable for text in texts for variable in _VARIABLE.findall(text))

    def _texts(self, inputs: Mapping[StackName, Mapping[str, Any]]) -> dict[Path, str | None]:
        """Return the files that the configuration makes, by path; None for one that must not be there."""
        local = self.config.backend.kind == "local"
        texts: dict[Path, str | None] = {self.root / ".gitignore": _GIT_IGNORE}
        for name in STACKS:
            folder = self.folder(name)
            texts[folder / _INPUTS] = json.dumps(inputs[name], indent=2, ensure_ascii=False) + "\n"
            texts[folder / _BACKEND] = None if local else _backend_settings(self.config, name)
            texts[folder / _OVERRIDE] = _LOCAL_STATE if local else None
        return texts

    def _copy(self, name: StackName) -> Iterator[Path]:
        modules = self.root / "modules"
        if not modules.exists():
            _place(packaged_modules(), modules)
            yield modules
        folder = self.folder(name)
        _place(_shipped(name), folder, sources=os.path.relpath(modules, folder))
        yield folder


def _shipped(name: StackName) -> Path:
    return packaged_modules() / "examples" / "complete" / name


def _place(source: Path, target: Path, *, sources: str | None = None) -> None:
    """Copy a folder, all of it or nothing.

    Args:
        source: The folder.
        target: Where it goes.
        sources: Where the modules lie, seen from there; None where nothing refers to them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        copy = Path(temporary) / target.name
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        for path in copy.rglob("*.tf") if sources else ():
            text = path.read_text(encoding="utf-8")
            path.write_text(_SHIPPED_SOURCE.sub(rf"\g<start>{sources}/\g<module>", text), encoding="utf-8")
        copy.replace(target)


def _backend_settings(config: InfraConfig, name: StackName) -> str:
    backend = config.backend
    settings = {
        "subscription_id": backend.subscription_id or config.azure.subscription_id,
        "resource_group_name": backend.resource_group,
        "storage_account_name": backend.storage_account,
        "container_name": backend.container,
        "key": f"{backend.key or config.environment}/{name}.tfstate",
    }
    lines = [f'{key} = "{value}"\n' for key, value in settings.items()]
    # By a role of whoever is logged in, not by the account's key.
    return "".join([_MARK, *lines, "use_azuread_auth = true\n"])


def _refuse_undeclared(folder: Path, inputs: Mapping[str, Any], *, declared: frozenset[str]) -> None:
    unknown = sorted(inputs.keys() - declared)
    if unknown:
        raise InputError(
            f"{folder}: declares no variable {', '.join(unknown)}, which infra.toml sets; declare it, or move the "
            "stack away, so that `gauntlet infra init` copies the present one"
        )


def _module_folders(folder: Path) -> list[Path]:
    """Return the folders of a stack's modules, as ``terraform init`` found them."""
    path = folder / ".terraform" / "modules" / "modules.json"
    if not path.is_file():
        return []
    listed = json.loads(path.read_text(encoding="utf-8"))["Modules"]
    return [folder / module["Dir"] for module in listed if module["Key"]]


def _configuration_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _NOT_CONFIGURATION.search(path.relative_to(folder).as_posix()):
            yield path


def _text(path: Path) -> str:
    """Return what a file holds; nothing where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""
