"""Champions as a user keeps them: judged, promoted, replaced, rolled back, and audited, each by its command."""

import mlflow
import pytest

from tests.commands import SMALL_ROAD

pytestmark = [pytest.mark.e2e, pytest.mark.local_only("looks into the registry of a state folder")]

# Other costs, another threshold: another model, though it orders rows alike.
OTHER = (*SMALL_ROAD, "--set", "costs.false_negative=9")


@pytest.fixture(scope="module")
def folder(small_road):
    """The folder of the small road, which the steps of this drill share."""
    return small_road[0]


@pytest.fixture(scope="module")
def first(small_road):
    """The champion that the small road promoted."""
    return small_road[1]


@pytest.fixture(scope="module")
def second(gauntlet, folder, first):
    """Judge a model that decides otherwise, and promote it by its evidence alone."""
    judged = gauntlet("run", *OTHER, "--until", "judge", "--json", folder=folder)
    assert judged.code == 0, judged.out
    return judged, gauntlet("promote", *OTHER, "--json", folder=folder)


@pytest.fixture(scope="module")
def back(gauntlet, folder, second):
    """Go back to the first."""
    return gauntlet("rollback", *SMALL_ROAD, "--json", folder=folder)


@pytest.fixture
def client(folder):
    """MLflow's own client on the state folder."""
    address = f"sqlite:///{folder}/.gauntlet/mlflow/mlflow.db"
    return mlflow.MlflowClient(tracking_uri=address, registry_uri=address)


MODEL = "gauntlet.wine_quality.wine_classifier"


def test_the_road_promotes_a_first_champion(first):
    assert first.code == 0, first.out
    champion = first.document["champion"]
    assert (champion["version"], champion["previous_version"], champion["sequence"]) == (2, None, 1)  # 1: the baseline
    assert champion["bootstrap"] is True
    assert first.document["evidence"]["sha256"] in first.document["evidence"]["file"]


def test_what_was_judged_replaces_it_by_its_evidence_alone(second):
    judged, promoted = second
    assert judged.document["champion"] is None
    assert promoted.code == 0, promoted.out
    assert promoted.document == {
        "model": MODEL,
        "version": 3,
        "previous_version": 2,
        "sequence": 2,
        "bootstrap": False,
        "warnings": [],
        "notes": [],
    }
    verdicts = {verdict["gate"]: verdict for verdict in judged.document["verdicts"]}
    assert "bootstrap" not in verdicts["model::not_worse_than_champion"]["sentence"]
    assert verdicts["data::no_drift"]["status"] == "PASS"


def test_a_rollback_returns_to_the_champion_before_with_its_evidence(first, back, client):
    assert back.code == 0, back.out
    assert (back.document["version"], back.document["previous_version"], back.document["sequence"]) == (2, 3, 3)
    assert back.document["evidence"] == first.document["evidence"]["sha256"]
    assert int(client.get_model_version_by_alias(MODEL, "champion").version) == 2


def test_there_is_nothing_before_the_first_champion(gauntlet, folder, back):
    again = gauntlet("rollback", *SMALL_ROAD, "--json", folder=folder)
    assert again.code == 1
    assert "none before it" in again.document["error"]


def test_what_was_rolled_back_is_not_promoted_again_on_old_evidence(gauntlet, folder, second, back):
    mark = second[0].document["evidence"]["sha256"]
    again = gauntlet("promote", mark[:12], *OTHER, "--json", folder=folder)
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
    evidence = first.document["evidence"]
    shown = gauntlet("evidence", "show", evidence["sha256"][:12], "--json", folder=folder)
    assert shown.document["sha256"] == evidence["sha256"]
    assert len(shown.document["evidence"]["verdicts"]) == len(first.document["verdicts"])
    verified = gauntlet("evidence", "verify", evidence["sha256"], *SMALL_ROAD, folder=folder)
    assert verified.code == 0, verified.err
    path = folder / ".gauntlet" / evidence["file"]
    content = path.read_bytes()
    try:
        path.write_bytes(content.replace(b"signatures", b"signaturez"))
        changed = gauntlet("evidence", "verify", evidence["sha256"], *SMALL_ROAD, "--json", folder=folder)
    finally:
        path.write_bytes(content)
    assert changed.code == 1
    assert "the evidence has changed" in changed.document["error"]


def test_the_local_keys_are_for_their_owner_alone(folder, first):
    keys = {path.stem: path for path in (folder / ".gauntlet" / "keys").glob("*.pem")}
    assert keys.keys() == {"signing_key", "promotion_key"}
    for key in keys.values():
        assert key.stat().st_mode & 0o777 == 0o600
        assert key.stat().st_size > 0


def test_the_sabotage_command_says_what_was_caught(gauntlet, folder, back):
    chosen = ("test_rows_copied_into_train", "threshold_moved", "curated__alcohol__not_null__broken")
    listed = gauntlet("gates", "list", "--json", folder=folder)
    assert len(listed.document["gates"]) > 100
    done = gauntlet("sabotage", *chosen, *SMALL_ROAD, "--json", folder=folder)
    assert done.code == 0, done.out
    found = {outcome["name"]: outcome for outcome in done.document["saboteurs"]}
    assert found.keys() == set(chosen)
    assert all(outcome["caught"] for outcome in found.values())
    leak = found["test_rows_copied_into_train"]
    assert leak["gate"] == "split::no_repeats_across_splits"
    assert "split::no_near_repeats_across_splits" in leak["others"]
    unknown = gauntlet("sabotage", "nobody", *SMALL_ROAD, "--json", folder=folder)
    assert unknown.code == 2
