"""Where target remote is: said by the environment or the stack, and asked before anything is started."""

import base64
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gauntlet.adapters.environment import examine
from gauntlet.adapters.remote_settings import (
    MLFLOW_VARIABLE,
    PLAIN_VARIABLE,
    SPARK_VARIABLE,
    RemoteSettings,
    remote_settings,
)
from gauntlet.adapters.stack import StackFile
from gauntlet.adapters.stack_process import ServerProcess
from gauntlet.adapters.stack_servers import free_ports
from gauntlet.core.errors import InputError, RequirementError
from gauntlet.core.state import State

pytestmark = pytest.mark.unit

EXPECTED = "Basic " + base64.b64encode(b"gauntlet:right").decode()


class Answers(BaseHTTPRequestHandler):
    """Answers as an MLflow server with a password does."""

    def do_GET(self):
        self.send_response(200 if self.headers.get("Authorization") == EXPECTED else 401)
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (SPARK_VARIABLE, MLFLOW_VARIABLE, "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_INSECURE_TLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "gauntlet")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "right")


@pytest.fixture
def serve():
    """Start a server on loopback, with a certificate if one is given; returns its address."""
    servers = []

    def started(certificate=None):
        server = HTTPServer(("127.0.0.1", 0), Answers)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"{'http' if certificate is None else 'https'}://localhost:{server.server_port}"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that nobody but its owner signed, with its key."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, plain[1], plain[0])
    )
    return path


def _mlflow(address):
    return RemoteSettings("sc://localhost:1", address, {})


def test_nobody_says_where_the_servers_are(tmp_path):
    with pytest.raises(RequirementError, match="gauntlet stack up"):
        remote_settings(State(tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_stack_is_that_of_the_folder_or_of_the_one_that_it_lies_in(tmp_path):
    def started(folder, port):
        process = ServerProcess(process=2**22 + 1, started="1", port=port, log=folder / "log")
        kept = StackFile(servers={"spark": process, "mlflow": process}, user="nobody", database="own")
        (folder / "stack").mkdir(parents=True)
        (folder / "stack" / "stack.json").write_text(kept.model_dump_json(), encoding="utf-8")
        (folder / "stack" / "secrets.json").write_text('{"password": "p", "token": "t"}', encoding="utf-8")

    started(tmp_path, 1)
    assert remote_settings(State(tmp_path / "wine")).spark.endswith(":1")
    started(tmp_path / "churn", 2)
    assert remote_settings(State(tmp_path / "churn")).spark.endswith(":2")
    with pytest.raises(RequirementError, match="gauntlet stack up"):
        remote_settings(State(tmp_path / "one" / "two"))


@pytest.mark.parametrize(
    ("addresses", "error", "says"),
    [
        ({SPARK_VARIABLE: "sc://spark:1"}, RequirementError, f"{MLFLOW_VARIABLE} is not set"),
        ({MLFLOW_VARIABLE: "http://mlflow:1"}, RequirementError, f"{SPARK_VARIABLE} is not set"),
        ({SPARK_VARIABLE: "spark:1", MLFLOW_VARIABLE: "http://m:1"}, InputError, "sc://HOST:PORT"),
        ({SPARK_VARIABLE: "sc://s:1", MLFLOW_VARIABLE: "sqlite:///mlflow.db"}, InputError, "http://HOST:PORT"),
        ({SPARK_VARIABLE: "sc://s:1", MLFLOW_VARIABLE: "http://u:secret@m:1"}, InputError, "MLFLOW_TRACKING_PASSWORD"),
    ],
)
def test_an_address_that_cannot_be_used_is_named(addresses, error, says, tmp_path, monkeypatch):
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error, match=says) as caught:
        remote_settings(State(tmp_path))
    assert "secret" not in str(caught.value)


@pytest.fixture
def settings_for(tmp_path, monkeypatch):
    """Ask for the settings of an MLflow address."""

    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", PLAIN_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def ask(mlflow, **variables):
        for name, value in {SPARK_VARIABLE: "sc://s:1", MLFLOW_VARIABLE: mlflow, **variables}.items():
            monkeypatch.setenv(name, value)
        return remote_settings(State(tmp_path))

    return ask


@pytest.mark.parametrize("secret", ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"])
@pytest.mark.parametrize("host", ["mlflow.example", "10.1.2.3", "127.example.com"])
def test_a_secret_crosses_no_network_in_plain_text(host, secret, settings_for):
    address = f"http://{host}:5000"
    assert settings_for(address).mlflow == address  # without a secret
    with pytest.raises(InputError, match=f"{secret} would cross the network in plain text") as caught:
        settings_for(address, **{secret: "hidden", PLAIN_VARIABLE: "no"})
    assert "hidden" not in str(caught.value)
    assert settings_for(address, **{PLAIN_VARIABLE: "1"}).mlflow == address


@pytest.mark.parametrize(
    "address", ["https://mlflow.example", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"]
)
def test_a_secret_may_go_to_this_machine_or_be_encrypted(address, settings_for):
    assert settings_for(address, MLFLOW_TRACKING_PASSWORD="hidden").mlflow == address  # noqa: S106 - a made one


def test_the_environments_credentials_come_before_the_stacks(monkeypatch):
    monkeypatch.delenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", raising=False)
    given = {"MLFLOW_TRACKING_PASSWORD": "the stack's", "SPARK_CONNECT_AUTHENTICATE_TOKEN": "a-token"}
    monkeypatch.setattr("os.environ", environment := {"MLFLOW_TRACKING_PASSWORD": "mine"})
    RemoteSettings("sc://a:1", "http://a:1", given).give_credentials()
    assert environment == {"MLFLOW_TRACKING_PASSWORD": "mine", "SPARK_CONNECT_AUTHENTICATE_TOKEN": "a-token"}


def test_a_server_that_takes_the_password_has_no_fault(serve):
    assert _mlflow(serve()).fault_of_mlflow() is None


def test_a_wrong_password_is_told_from_a_server_that_is_gone(serve, monkeypatch):
    address = serve()
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    assert "refused the password of gauntlet (HTTP 401)" in _mlflow(address).fault_of_mlflow()
    (port,) = free_ports(1)
    assert "no answer" in _mlflow(f"http://localhost:{port}").fault_of_mlflow()


def test_a_certificate_that_nobody_trusts_is_refused_until_it_is_given(serve, certificate, monkeypatch):
    address = serve(certificate)
    assert "its certificate is not trusted" in _mlflow(address).fault_of_mlflow()
    assert "its certificate is not trusted" in _mlflow(address.replace("localhost", "127.0.0.1")).fault_of_mlflow()
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    assert _mlflow(address).fault_of_mlflow() is None


def test_spark_is_asked_whether_it_listens(serve):
    address = serve()
    assert RemoteSettings(address.replace("http", "sc"), "http://a:1", {}).fault_of_spark() is None
    (port,) = free_ports(1)
    assert "no connection" in RemoteSettings(f"sc://localhost:{port}", "http://a:1", {}).fault_of_spark()


def test_the_environment_is_not_ready_while_a_server_is_gone(serve, tmp_path, monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setenv(MLFLOW_VARIABLE, serve())
    monkeypatch.setenv(SPARK_VARIABLE, f"sc://localhost:{port}")
    found = {finding.name: finding.status for finding in examine(State(tmp_path), target="remote")}
    assert (found["Spark's server"], found["MLflow's server"]) == ("missing", "ok")
    assert "Java" not in found
