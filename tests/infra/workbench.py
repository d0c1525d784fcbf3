"""This module provides the workbench: one module or example tried from the command line, as the tests would.

Usage:
    PYTHON -m tests.infra.workbench validate FOLDER
    PYTHON -m tests.infra.workbench test FOLDER
    PYTHON -m tests.infra.workbench rules NAME
    PYTHON -m tests.infra.workbench plan FOLDER [-var NAME=VALUE …] [-var-file FILE] [--out FILE]

Everything happens in a copy of the whole tree of modules, with the environment of the tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.infra.providers import NoProvidersError, Providers, chosen_providers
from tests.infra.terraform_runs import MODULES, Terraform, TerraformRunError, copied_modules, told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.infra.workbench")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("validate", "test", "plan"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        if name == "plan":
            command.add_argument("-var", action="append", default=[], metavar="NAME=VALUE")
            command.add_argument("-var-file", action="append", default=[], type=Path, metavar="FILE")
            command.add_argument("--out", type=Path, metavar="FILE")
    commands.add_parser("rules").add_argument("name")
    return parser


def _validate(terraform: Terraform) -> int:
    found = terraform.validate()
    for item in found:
        print(told(item))
    return _ended(wrong=any(item.severity == "error" for item in found))


def _test(terraform: Terraform) -> int:
    report = terraform.test()
    for (file, run), status in report.status.items():
        print(f"{status:<5} {file} {run}")
    for (file, run), found in report.diagnostics.items():
        for item in found:
            print(f"{file} {run}: {told(item)}")
    return _ended(wrong=not report.status or set(report.status.values()) != {"pass"})


def _plan(terraform: Terraform, options: argparse.Namespace) -> int:
    files = [str(file.resolve()) for file in options.var_file]
    text = json.dumps(terraform.plan(var=options.var, var_file=files), indent=1)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
    return 0


def _ended(*, wrong: bool) -> int:
    print("failed" if wrong else "passed")
    return int(wrong)


def _run(options: argparse.Namespace, providers: Providers, work: Path) -> int:
    print(f"{providers.tier} providers: {providers.versions}", file=sys.stderr)
    if options.command == "rules":
        from tests.infra.module_rules import print_rules  # noqa: PLC0415 - the other commands do without it

        return print_rules(options.name, providers=providers, work=work)
    folder = copied_modules(work / "infra_modules") / options.folder.resolve().relative_to(MODULES)
    environment = providers.plan_environment if options.command == "plan" else providers.environment
    terraform = Terraform(folder, environment=environment)
    terraform.init()
    if options.command == "plan":
        return _plan(terraform, options)
    return {"validate": _validate, "test": _test}[options.command](terraform)


def main(arguments: list[str]) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="workbench-") as work:
        try:
            with chosen_providers(Path(work)) as providers:
                return _run(options, providers, Path(work))
        except (NoProvidersError, TerraformRunError) as error:
            print(error, file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
