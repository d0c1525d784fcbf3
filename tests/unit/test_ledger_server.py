"""The promotion ledger on an MLflow server: one winner a number, and nothing that can be changed unseen.

Here a SQLite store stands where the server stands; tests/remote races for it over HTTP.
"""

import json
import shutil
from dataclasses import replace

import pytest

from gauntlet.adapters.ledger_server import DIGEST_TAG, RECORD_TAG, ServerLedger
from gauntlet.adapters.promotion_ledger import PromotionLedger
from gauntlet.adapters.signing_keys import PROMOTER, SigningKeys
from gauntlet.adapters.tracking import Tracking
from gauntlet.core.canonical import digest
from gauntlet.core.errors import RefusedError, RequirementError
from gauntlet.core.promotions import faults_of
from tests.promotion_attempts import ATTEMPT, WINE, claim, promoted

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A store without a record; to make one takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    address = f"sqlite:///{folder}/mlflow.db"
    Tracking(address, address, "e").client.search_experiments()
    return folder


@pytest.fixture
def tracking(empty, tmp_path):
    shutil.copytree(empty, tmp_path / "mlflow")
    address = f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    return Tracking(address, address, "e")


@pytest.fixture
def ledger(tracking):
    return PromotionLedger(ServerLedger(tracking))


def _experiment(tracking, number):
    return tracking.client.get_experiment_by_name(f"gauntlet-ledger/{WINE}/{number:08d}").experiment_id


def test_before_the_first_claim_there_is_nothing(ledger):
    assert ledger.entries(WINE) == ()


def test_entries_are_claimed_done_withdrawn_and_rolled_back(ledger):
    promoted(ledger, 1)
    withdrawn = ledger.withdraw(claim(ledger, 2), reason="it did not come back")
    promoted(ledger, 3)
    ledger.settle(claim(ledger, 1, kind="rollback"))
    entries = ledger.entries(WINE)
    assert [(e.sequence, e.version, e.previous_version, e.status) for e in entries] == [
        (1, 1, None, "done"),
        (2, 2, 1, "withdrawn"),
        (3, 3, 1, "done"),
        (4, 1, 3, "done"),
    ]
    assert entries[1] == withdrawn
    assert faults_of(entries) == ()


def test_a_ledger_of_a_version_that_did_not_sign_is_signed_once(ledger, tmp_path):
    promoted(ledger, 1)
    ledger.withdraw(claim(ledger, 2), reason="it did not come back")
    keys = SigningKeys(tmp_path / "keys", PROMOTER)
    signing = replace(ledger, keys=keys)
    assert [fault.partition(" is ")[0] for fault in signing.signature_faults(signing.entries(WINE))] == [
        "sequence 1",
        "sequence 2",
    ]
    before = ledger.entries(WINE)
    assert signing.sign_all(WINE, keys=keys) == 2
    entries = signing.entries(WINE)
    assert [entry.model_copy(update={"signature": ""}) for entry in entries] == list(before)
    assert (faults_of(entries), signing.signature_faults(entries)) == ((), ())
    with pytest.raises(RefusedError, match="are signed already"):
        signing.sign_all(WINE, keys=keys)
    promoted(signing, 3)
    assert signing.signature_faults(signing.entries(WINE)) == ()
    promoted(ledger, 4)
    assert signing.signature_faults(signing.entries(WINE)) == ("sequence 4 is done, and nobody signed it",)


def test_a_record_of_a_version_that_did_not_sign_keeps_its_digest(ledger, tracking):
    """Those versions knew no field for a signature, so none may be written where there is none."""
    promoted(ledger, 1)
    for number in (1, 2):
        tags = tracking.client.get_experiment(_experiment(tracking, number)).tags
        assert "signature" not in tags[RECORD_TAG]
        assert tags[DIGEST_TAG] == digest(json.loads(tags[RECORD_TAG]))


def test_models_whose_names_are_alike_have_ledgers_of_their_own(ledger):
    promoted(ledger, 1)
    assert claim(ledger, 9, model=WINE.replace("tests", "te_ts")).sequence == 1
    assert claim(ledger, 9, model=f"{WINE}s").sequence == 1
    assert len(ledger.entries(WINE)) == 1
    assert ledger.entries(WINE.replace("tests", "te_ts"))[0].version == 9


def test_who_read_before_another_claimed_is_refused(ledger, tracking):
    promoted(ledger, 1)
    store = ServerLedger(tracking)
    with store.writing() as late:
        last = late.last(WINE)
        claimed = claim(ledger, 2)
        with pytest.raises(RefusedError, match=r"sequence 2 was claimed by process .* meanwhile; nothing was changed"):
            late.insert(claimed.model_copy(update={"version": 3, "claimed": "later"}).chained(after=last))
    assert ledger.entries(WINE)[-1] == claimed


def test_a_claim_that_another_took_over_meanwhile_cannot_be_settled(ledger, tracking):
    claimed = claim(ledger, 1)
    with ServerLedger(tracking).writing() as late:
        late.last(WINE)
        ledger.withdraw(claimed, reason="another was faster")
        assert not late.swap(claimed, claimed.model_copy(update={"status": "done", "settled": "now"}))
    assert [entry.status for entry in ledger.entries(WINE)] == ["withdrawn"]


@pytest.mark.parametrize("code", ["RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"])
def test_a_record_that_was_made_although_the_server_failed_is_ones_own(ledger, tracking, monkeypatch, code):
    from mlflow.exceptions import RestException  # noqa: PLC0415 - takes seconds to import

    create = tracking.client.create_experiment

    def made_twice(*args, **options):
        create(*args, **options)
        raise RestException({"error_code": code, "message": "it is there"})

    monkeypatch.setattr(tracking.client, "create_experiment", made_twice)
    promoted(ledger, 1)
    assert [entry.status for entry in ledger.entries(WINE)] == ["done"]


def test_a_record_that_was_changed_is_found(ledger, tracking):
    promoted(ledger, 1)
    changed = (
        tracking.client.get_experiment(_experiment(tracking, 1)).tags[RECORD_TAG].replace('"version":1', '"version":7')
    )
    assert '"version":7' in changed
    tracking.client.set_experiment_tag(_experiment(tracking, 1), RECORD_TAG, changed)
    with pytest.raises(RequirementError, match="changed or removed by hand"):
        ledger.entries(WINE)


def test_a_changed_record_with_a_fitting_digest_breaks_the_chain(ledger, tracking):
    promoted(ledger, 1)
    record = ServerLedger(tracking).records(WINE)[0]
    changed = record.model_copy(update={"entry": record.entry.model_copy(update={"version": 7})})
    tracking.client.set_experiment_tag(_experiment(tracking, 1), RECORD_TAG, changed.model_dump_json())
    tracking.client.set_experiment_tag(_experiment(tracking, 1), DIGEST_TAG, changed.mark())
    with pytest.raises(RequirementError, match="changed or removed by hand"):
        ledger.entries(WINE)


def test_a_deleted_record_is_still_read_and_its_number_is_not_free(ledger, tracking):
    promoted(ledger, 1)
    before = ledger.entries(WINE)
    tracking.client.delete_experiment(_experiment(tracking, 2))
    assert ledger.entries(WINE) == before


def test_two_records_of_one_name_are_no_ledger(ledger, tracking, monkeypatch):
    # A workspace gives the name of a deleted experiment away again, and lists both.
    promoted(ledger, 1)
    search = tracking.client.search_experiments

    def listed_twice(**options):
        found = search(**options)
        found.extend(list(found)[:1])
        return found

    monkeypatch.setattr(tracking.client, "search_experiments", listed_twice)
    with pytest.raises(RequirementError, match="changed or removed by hand"):
        ledger.entries(WINE)


def test_records_lie_below_the_prefix_in_a_folder_that_is_made_first(tracking):
    made = []
    placed = Tracking(tracking.tracking_uri, tracking.registry_uri, "e", make_folder=made.append)
    ledger = PromotionLedger(ServerLedger(placed, prefix="/Shared/ledger"))
    promoted(ledger, 1)
    assert set(made) == {f"/Shared/ledger/{WINE}"}
    assert placed.client.get_experiment_by_name(f"/Shared/ledger/{WINE}/00000002") is not None
    assert PromotionLedger(ServerLedger(tracking)).entries(WINE) == ()


def test_a_number_whose_record_holds_nothing_is_no_entry(ledger, tracking):
    tracking.client.create_experiment(f"gauntlet-ledger/{WINE}/00000001")
    with pytest.raises(RequirementError, match="changed or removed by hand"):
        ledger.claim(WINE, **ATTEMPT, expected=0, version=1, previous_version=None)


def test_a_server_that_cannot_be_asked_is_an_error_and_never_an_empty_ledger(ledger, tracking, monkeypatch):
    def fails(**_):
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(tracking.client, "search_experiments", fails)
    with pytest.raises(RequirementError, match=r"the promotion ledger cannot be used .*nobody is there"):
        ledger.entries(WINE)
