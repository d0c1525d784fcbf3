"""Champions as a user keeps them: judged, promoted, replaced, rolled back, and audited, each by its command."""

import mlflow
import pytest

pytestmark = pytest.mark.e2e

SMALL = (
    *("--set", "sweep.trials=8", "--set", "sweep.lag=4", "--set", "sweep.max_rounds=120"),
    *("--set", "baseline.reference_trees=20", "--set", "gates.reproducibility.trials=2"),
)
# A small search may fall short of the margins of production.
WIDE = ("--set", "gates.model.margins={auc=0.2,brier=0.1}")
# Other costs, another threshold: another model, though it orders rows alike.
OTHER = ("--set", "costs.false_negative=9")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that the steps of this drill share."""
    return tmp_path_factory.mktemp("champions")


@pytest.fixture(scope="module")
def first(gauntlet, folder):
    """Judge a first model, and promote it by its evidence alone."""
    judged = gauntlet("run", *SMALL, *WIDE, "--until", "judge", "--json", folder=folder)
    assert judged.code == 0, judged.out
    assert judged.document["champion"] is None
    return judged, gauntlet("promote", *SMALL, *WIDE, "--json", folder=folder)


@pytest.fixture(scope="module")
def second(gauntlet, folder, first):
    """Replace it by a model that decides otherwise."""
    return gauntlet("run", *SMALL, *WIDE, *OTHER, "--json", folder=folder)


@pytest.fixture(scope="module")
def back(gauntlet, folder, second):
    """Go back to the first."""
    return gauntlet("rollback", *SMALL, *WIDE, "--json", folder=folder)


@pytest.fixture
def client(folder):
    """MLflow's own client on the state folder."""
    address = f"sqlite:///{folder}/.gauntlet/mlflow/mlflow.db"
    return mlflow.MlflowClient(tracking_uri=address, registry_uri=address)


MODEL = "gauntlet.wine_quality.wine_classifier"


def test_what_was_judged_is_promoted_by_its_evidence(first):
    judged, promoted = first
    assert promoted.code == 0, promoted.out
    assert promoted.document == {
        "model": MODEL,
        "version": 2,  # the baseline forest is version 1
        "previous_version": None,
        "sequence": 1,
        "bootstrap": True,
    }
    assert judged.document["evidence"]["sha256"] in judged.document["evidence"]["file"]


def test_another_model_replaces_it_and_the_ledger_counts_on(second):
    assert second.code == 0, second.out
    champion = second.document["champion"]
    assert (champion["version"], champion["previous_version"], champion["sequence"]) == (3, 2, 2)
    verdicts = {verdict["gate"]: verdict for verdict in second.document["verdicts"]}
    assert "bootstrap" not in verdicts["model::not_worse_than_champion"]["sentence"]
    assert verdicts["data::no_drift"]["status"] == "PASS"


def test_a_rollback_returns_to_the_champion_before_with_its_evidence(first, back, client):
    assert back.code == 0, back.out
    assert (back.document["version"], back.document["previous_version"], back.document["sequence"]) == (2, 3, 3)
    assert back.document["evidence"] == first[0].document["evidence"]["sha256"]
    assert int(client.get_model_version_by_alias(MODEL, "champion").version) == 2


def test_there_is_nothing_before_the_first_champion(gauntlet, folder, back):
    again = gauntlet("rollback", *SMALL, *WIDE, "--json", folder=folder)
    assert again.code == 1
    assert "none before it" in again.document["error"]


def test_what_was_rolled_back_is_not_promoted_again_on_old_evidence(gauntlet, folder, second, back):
    mark = second.document["evidence"]["sha256"]
    again = gauntlet("promote", mark[:12], *SMALL, *WIDE, *OTHER, "--json", folder=folder)
    assert again.code == 1
    assert "judge the candidate again" in again.document["error"]


def test_the_audit_finds_an_alias_that_was_moved_by_hand(gauntlet, folder, back, client):
    sound = gauntlet("audit", "--json", folder=folder)
    assert sound.code == 0, sound.out
    assert sound.document["findings"] == []
    assert (sound.document["entries"], sound.document["versions"]) == (3, 3)
    client.set_registered_model_alias(MODEL, "champion", "3")
    try:
        found = gauntlet("audit", "--json", folder=folder)
        assert found.code == 1
        assert any(finding["where"] == "alias champion" for finding in found.document["findings"])
    finally:
        client.set_registered_model_alias(MODEL, "champion", "2")


def test_evidence_is_shown_and_verified_and_a_changed_byte_is_named(gauntlet, folder, first, back):
    evidence = first[0].document["evidence"]
    shown = gauntlet("evidence", "show", evidence["sha256"][:12], "--json", folder=folder)
    assert shown.document["sha256"] == evidence["sha256"]
    assert len(shown.document["evidence"]["verdicts"]) == len(first[0].document["verdicts"])
    verified = gauntlet("evidence", "verify", evidence["sha256"], *SMALL, *WIDE, folder=folder)
    assert verified.code == 0, verified.err
    path = folder / ".gauntlet" / evidence["file"]
    content = path.read_bytes()
    try:
        path.write_bytes(content.replace(b"signatures", b"signaturez"))
        changed = gauntlet("evidence", "verify", evidence["sha256"], *SMALL, *WIDE, "--json", folder=folder)
    finally:
        path.write_bytes(content)
    assert changed.code == 1
    assert "the evidence has changed" in changed.document["error"]


def test_the_local_signing_key_is_for_its_owner_alone(folder, first):
    (key,) = (folder / ".gauntlet" / "keys").glob("*.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.stat().st_size > 0


def test_the_sabotage_command_says_what_was_caught(gauntlet, folder, back):
    chosen = ("test_rows_copied_into_train", "threshold_moved", "curated__alcohol__not_null__broken")
    listed = gauntlet("gates", "list", "--json", folder=folder)
    assert len(listed.document["gates"]) > 100
    done = gauntlet("sabotage", *chosen, *SMALL, *WIDE, "--json", folder=folder)
    assert done.code == 0, done.out
    found = {outcome["name"]: outcome for outcome in done.document["saboteurs"]}
    assert found.keys() == set(chosen)
    assert all(outcome["caught"] for outcome in found.values())
    leak = found["test_rows_copied_into_train"]
    assert leak["gate"] == "split::no_repeats_across_splits"
    assert "split::no_near_repeats_across_splits" in leak["others"]
    unknown = gauntlet("sabotage", "nobody", *SMALL, *WIDE, "--json", folder=folder)
    assert unknown.code == 2
