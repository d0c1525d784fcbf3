"""The CI definitions: valid by their published schemas; what they name exists and is documented; secrets are kept."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import click
import pytest
import yaml

from tests.unit.test_readme import ALL, ROOT, TOX_ENVIRONMENTS, parse_gauntlet

pytestmark = pytest.mark.unit

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WORKFLOWS = ("verify.yml", "promote.yml", "nightly.yml")
SCHEMAS = {
    **{f"ci/github/{name}": "github-workflows" for name in WORKFLOWS},
    "ci/github/prepare/action.yml": "github-actions",
    "ci/azure-pipelines.yml": "azure-pipelines",
    "ci/azure/prepare.yml": "azure-pipelines",
}
TIERS = {"lint", "unit", "data", "infra", "remote", "e2e", "gates"}
# A network that is off: every connection is refused at once.
OFFLINE = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9")


def _valid(path, schema):
    """Hold a file against the schema that check-jsonschema brings along; some patterns are of the old JavaScript."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run(
        [*command, "--regex-variant", "nonunicode", str(path)],
        env=os.environ | OFFLINE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_each_definition_is_valid_by_its_published_schema(name, schema):
    valid, said = _valid(ROOT / name, schema)
    assert valid, said


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("ci/github/verify.yml", "    runs-on: ubuntu-24.04\n    timeout-minutes: 15\n", ""),
        ("ci/github/verify.yml", "      - run: python", "      - runs: python"),
        ("ci/github/promote.yml", "    branches: [main]", "    branch: [main]"),
        ("ci/github/nightly.yml", "on:\n", "when:\n"),
        ("ci/github/prepare/action.yml", "using: composite", "using: together"),
        ("ci/azure-pipelines.yml", "  - stage: build\n", "  - phase: build\n"),
        ("ci/azure-pipelines.yml", "task: PublishTestResults@2", "task: PublishTestResult@2"),
        ("ci/azure/prepare.yml", "  - task: UsePythonVersion@0", "  - tasks: UsePythonVersion@0"),
    ],
)
def test_the_schemas_find_a_definition_that_is_broken(name, before, after, tmp_path):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "broken.yml").write_text(text.replace(before, after), encoding="utf-8")
    assert not _valid(tmp_path / "broken.yml", SCHEMAS[name])[0]


def _load(path):
    # YAML 1.1 reads the key `on` as true.
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in document.items()}


def _nested(value):
    """Give every mapping inside a document, outermost first."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nested(inner)


def _scripts(document):
    """Give the text of each command that a definition runs, with what stands in for its matrix variables."""
    for mapping in _nested(document):
        for step in mapping.get("steps", ()):
            text = step.get("run") or step.get("script")
            if not text:
                continue
            if "$ENVIRONMENT" not in text:
                yield text
            else:
                matrix = mapping["strategy"]["matrix"]
                names = matrix.get("environment") or [entry["ENVIRONMENT"] for entry in matrix.values()]
                yield from (text.replace('"$ENVIRONMENT"', name) for name in names)


# From the locks, and the project itself with nothing else.
INSTALLATIONS = [
    ["install", "-q", "--require-hashes", "-r", "ci/lock.txt"],
    ["install", "-q", "--require-hashes", "-r", "ci/lock_tools.txt"],
    ["install", "-q", "--no-deps", "--no-build-isolation", "-e", "."],
]


def _command_faults(text):
    """Give what is wrong with a command: each must be one that the README documents."""
    if "${{" in text or re.search(r"\$\((?!date)", text):
        yield f"{text}: an expression is put into a command; hand it over in env"
        return
    program, *words = shlex.split(text)
    documented = [command[1:] for command in ALL if command[0] == program]
    if program == "gauntlet":
        try:
            parse_gauntlet(words)
        except click.UsageError as error:
            yield f"{text}: {error.format_message()}"
        if words[0] not in {command[0] for command in documented}:
            yield f"{text}: README does not name the command"
    elif program == "tox":
        names = words[1:2] if words[:1] == ["-e"] else words
        if not set(names) <= TOX_ENVIRONMENTS:
            yield f"{text}: tox.ini has no such environment"
    elif program == "pip":
        if words not in INSTALLATIONS:
            yield f"{text}: installs something that is not locked"
    elif words[:2] not in [command[:2] for command in documented]:
        yield f"{text}: README does not name the command"


def _path_faults(path, document, root):
    for mapping in _nested(document):
        for key in ("uses", "template"):
            target = str(mapping.get(key, ""))
            if target.startswith("./") and not (root / target).exists():
                yield f"{path.name}: {target} does not exist"
            if key == "template" and target and not (path.parent / target).is_file():
                yield f"{path.name}: {target} does not exist"
    named = re.findall(r"(?:pipeline|ci)/[\w./*-]+\w", path.read_text(encoding="utf-8"))
    for name in named:
        if not list(root.glob(name)):
            yield f"{path.name}: {name} does not exist"


def _secret_faults(path, document):
    """Give where a secret could come into a log: it may stand in the environment of one step, and nowhere else."""
    text = path.read_text(encoding="utf-8")
    secret = re.compile(r"secrets\.|\$\(GAUNTLET_\w+_KEY\)")
    allowed = sum(
        secret.search(str(value)) is not None
        for mapping in _nested(document)
        if "run" in mapping or "script" in mapping
        for value in mapping.get("env", {}).values()
    )
    if len(secret.findall(text)) != allowed or "secrets: inherit" in text:
        yield f"{path.name}: a secret stands elsewhere than in the env of a step"
    if re.search(r"\b(?:printenv|set -x|env \||echo)\b", text):
        yield f"{path.name}: prints the environment"


def _github_faults(path, document):
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        used = re.search(r"uses: (?!\./)(\S+)(.*)", line)
        pinned = used and re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used[1]) and re.match(r" # v\d+\.\d+\.\d+$", used[2])
        if used and not pinned and "By tag:" not in lines[number - 1]:
            yield f"{path.name}: {used[1]} is not pinned to a commit"
    if "jobs" not in document:
        return
    if document.get("permissions") != {} or "concurrency" not in document:
        yield f"{path.name}: no permissions and a concurrency group must be its first words"
    for name, job in document["jobs"].items():
        rights = job.get("permissions")
        if not rights or {key for key, right in rights.items() if right != "read"} - {"security-events"}:
            yield f"{path.name}: job {name} has no rights of its own, or too many"
        if "uses" not in job and "timeout-minutes" not in job:
            yield f"{path.name}: job {name} has no time limit"


def _environments(document):
    return {words[2] for text in _scripts(document) if (words := text.split())[:2] == ["tox", "-e"]}


def _promotion_faults(root):
    """Give what is wrong with the way to the champion: all tests, the gates, an approval, the promotion."""
    verify, promote, _ = (_load(root / "ci" / "github" / name) for name in WORKFLOWS)
    azure = _load(root / "ci" / "azure-pipelines.yml")
    stages = {stage["stage"]: stage for stage in azure["stages"]}
    if "pull_request" not in verify["on"] or azure["pr"] != {"branches": {"include": ["main"]}}:
        yield "pull requests are not tested"
    for name, document in (("GitHub", verify), ("Azure", stages["verify"])):
        if missing := TIERS - _environments(document):
            yield f"{name}: nothing runs {', '.join(sorted(missing))}"
    jobs = promote["jobs"]
    if promote["on"] != {"push": {"branches": ["main"]}} or "refs/heads/main" not in stages["judge"]["condition"]:
        yield "something else than main is promoted"
    if (jobs["judge"]["needs"], jobs["promote"]["needs"]) != ("verify", "judge"):
        yield "GitHub: the order is not verify, judge, promote"
    if [stages[name].get("dependsOn") for name in ("build", "judge", "promote")] != ["verify", "build", "judge"]:
        yield "Azure: the order is not verify, build, judge, promote"
    (champion,) = stages["promote"]["jobs"]
    if jobs["promote"].get("environment") != "production" or champion.get("environment") != "production":
        yield "nobody approves"
    for name, judge, last in (
        ("GitHub", jobs["judge"], jobs["promote"]), ("Azure", stages["judge"], stages["promote"])
    ):  # fmt: skip
        if not any(text.startswith("pytest -m gates ") for text in _scripts(judge)):
            yield f"{name}: the gates are not asked before the promotion"
        if "GAUNTLET_PROMOTION_KEY" in str(judge) or "GAUNTLET_SIGNING_KEY" in str(last):
            yield f"{name}: a job sees the key of the other"
        if any("promote" in text for text in _scripts(judge)) or not any("promote" in text for text in _scripts(last)):
            yield f"{name}: the promotion is not where it belongs"
        handed = [text for text in _scripts(judge) if text.startswith("gauntlet ")][-1] == "gauntlet evidence hand-over"
        if not handed or 'gauntlet promote "$EVIDENCE"' not in list(_scripts(last)):
            yield f"{name}: something else may be promoted than was approved"


def _report_faults(root):
    texts = {name: (root / name).read_text(encoding="utf-8") for name in SCHEMAS}
    for name, wanted in (
        ("ci/github/verify.yml", ("github/codeql-action/upload-sarif", ".tox/reports/", "actions/upload-artifact")),
        ("ci/github/promote.yml", ("github/codeql-action/upload-sarif", "gates.xml", "actions/upload-artifact")),
        ("ci/azure-pipelines.yml", ("PublishTestResults@2", ".tox/reports/*.xml", "publish: gates.sarif")),
        ("ci/github/prepare/action.yml", ("actions/cache", "env.GAUNTLET_CACHE_DIR", "cache: pip")),
        ("ci/azure/prepare.yml", ("Cache@2", "$(GAUNTLET_CACHE_DIR)", "$(PIP_CACHE_DIR)")),
        ("ci/github/nightly.yml", ("cron:", "gauntlet sabotage")),
    ):
        yield from (f"{name}: {part} is missing" for part in wanted if part not in texts[name])


def _faults(root):
    """Give all that is wrong with the definitions of a checkout, one sentence each."""
    for name in WORKFLOWS:
        copy = root / ".github" / "workflows" / name
        if not copy.is_file() or copy.read_bytes() != (root / "ci" / "github" / name).read_bytes():
            yield f".github/workflows/{name} differs from ci/github/{name}; copy it there"
    for name in SCHEMAS:
        path = root / name
        document = _load(path)
        for text in _scripts(document):
            yield from _command_faults(text)
        yield from _path_faults(path, document, root)
        yield from _secret_faults(path, document)
        if "github" in name:
            yield from _github_faults(path, document)
    yield from _promotion_faults(root)
    yield from _report_faults(root)


def test_nothing_is_wrong_with_the_definitions():
    assert list(_faults(ROOT)) == []


def test_github_finds_these_workflows_and_no_others():
    assert {path.name for path in (ROOT / ".github" / "workflows").iterdir()} == set(WORKFLOWS)


@pytest.fixture
def checkout(tmp_path):
    """A copy of all that the definitions are about."""
    for name in ("ci", ".github"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pipeline/gauntlet/problems", "pipeline/gauntlet/adapters", "tests/unit"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert list(_faults(tmp_path)) == []
    return tmp_path


VERIFY, PROMOTE, NIGHTLY, PREPARE, AZURE, AZURE_PREPARE = (
    *(f"ci/github/{name}" for name in WORKFLOWS), "ci/github/prepare/action.yml",
    "ci/azure-pipelines.yml", "ci/azure/prepare.yml",
)  # fmt: skip
KEY = "${{ secrets.GAUNTLET_SIGNING_KEY }}"


@pytest.mark.parametrize(
    ("name", "before", "after", "fault"),
    [
        (VERIFY, "name: verify\n", "name: check\n", "differs from ci/github/verify.yml"),
        (VERIFY, "infra, remote, e2e]", "infra, remote]", "nothing runs e2e"),
        (VERIFY, "infra, remote, e2e]", "infra, remote, e2e, slow]", "no such environment"),
        (VERIFY, "tox -e gates", "tox -e ${{ github.head_ref }}", "put into a command"),
        (VERIFY, "  pull_request:\n", "", "pull requests are not tested"),
        (VERIFY, "./ci/github/prepare", "./ci/github/ready", "./ci/github/ready does not exist"),
        (VERIFY, "--require-hashes -r ci/lock_tools.txt", "-r ci/lock_tools.txt", "is not locked"),
        (VERIFY, "--require-hashes -r ci/lock_tools.txt", "tox", "is not locked"),
        (VERIFY, "permissions: {}", "permissions: write-all", "must be its first words"),
        (VERIFY, "    timeout-minutes: 15\n", "", "job build has no time limit"),
        (VERIFY, "      contents: read\n      security", "      contents: write\n      security", "or too many"),
        (VERIFY, "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "actions/checkout@v5", "pinned"),
        (VERIFY, "python -m build --wheel", "python -m twine upload", "README does not name the command"),
        (VERIFY, "          sarif_file: gates.sarif", f"          token: {KEY}", "a secret stands elsewhere"),
        (PROMOTE, "  GAUNTLET_STATE: ${{ vars.GAUNTLET_STATE }}", f"  KEY: {KEY}", "a secret stands elsewhere"),
        (PROMOTE, 'gauntlet promote "$EVIDENCE"\n', f"gauntlet promote {KEY}\n", "put into a command"),
        (PROMOTE, 'gauntlet promote "$EVIDENCE"\n', "gauntlet promote\n", "something else may be promoted"),
        (PROMOTE, "gauntlet evidence hand-over", "gauntlet evidence show", "something else may be promoted"),
        (PROMOTE, "          GAUNTLET_PROMOTION_KEY:", "          GAUNTLET_SIGNING_KEY:", "sees the key of the other"),
        (AZURE, "GAUNTLET_SIGNING_KEY: $(", "GAUNTLET_PROMOTION_KEY: $(", "sees the key of the other"),
        (PROMOTE, "gauntlet audit", "gauntlet audits", "No such command"),
        (PROMOTE, "gauntlet run --until judge", "gauntlet run --till judge", "No such option"),
        (PROMOTE, "gauntlet run --until judge", "gauntlet promote", "not where it belongs"),
        (PROMOTE, "pytest -m gates", "pytest -m unit", "the gates are not asked"),
        (PROMOTE, "    environment: production\n", "", "nobody approves"),
        (PROMOTE, "    needs: judge\n", "    needs: verify\n", "the order is not verify, judge, promote"),
        (PROMOTE, "branches: [main]", "branches: [main, next]", "something else than main"),
        (PROMOTE, "github/codeql-action/upload-sarif", "github/codeql-action/analyze", "upload-sarif is missing"),
        (NIGHTLY, "--no-deps --no-build-isolation -e .", "-e .", "is not locked"),
        (NIGHTLY, "gauntlet doctor", "printenv", "prints the environment"),
        (PREPARE, "env.GAUNTLET_CACHE_DIR", "env.CACHE_DIR", "env.GAUNTLET_CACHE_DIR is missing"),
        (PREPARE, "adapters/jars.py", "adapters/jar.py", "adapters/jar.py does not exist"),
        (AZURE, "{ ENVIRONMENT: data,", "{ ENVIRONMENT: days,", "nothing runs data"),
        (AZURE, "environment: production", "environment: staging", "nobody approves"),
        (AZURE, "dependsOn: judge", "dependsOn: build", "the order is not verify, build, judge, promote"),
        (AZURE, 'gauntlet promote "$EVIDENCE"', "gauntlet promote $(GAUNTLET_SIGNING_KEY)", "put into a command"),
        (AZURE, "gauntlet evidence hand-over", "gauntlet audit", "something else may be promoted"),
        (AZURE, "'refs/heads/main'", "'refs/heads/next'", "something else than main"),
        (AZURE, "azure/prepare.yml", "azure/ready.yml", "azure/ready.yml does not exist"),
        (AZURE, "publish: gates.sarif", "publish: gates.json", "publish: gates.sarif is missing"),
        (AZURE_PREPARE, "path: $(GAUNTLET_CACHE_DIR)", "path: here", "$(GAUNTLET_CACHE_DIR) is missing"),
    ],
)
def test_a_definition_that_is_broken_is_found(checkout, name, before, after, fault):
    path = checkout / name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    if name in (PROMOTE, NIGHTLY) or (name == VERIFY and "differs" not in fault):
        shutil.copy(path, checkout / ".github" / "workflows" / path.name)
    found = list(_faults(checkout))
    assert any(fault in sentence for sentence in found), found
