"""HTTPS on the product's and on KServe's port."""
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
import tritonclient.http

from cli import program


@pytest.fixture(scope="module", name="certificate")
def make_certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
         folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module", name="secure")
def start(certificate, tmp_path_factory):
    from web import server as server_process

    class Secure(server_process.Server):
        def is_ready(self):
            context = ssl.create_default_context(
                cafile=certificate / "cert.pem")
            try:
                return urllib.request.urlopen(
                    f"https://127.0.0.1:{self.port}/health/ready",
                    context=context).status == 200
            except (urllib.error.URLError, ConnectionError):
                return False

    server = Secure(tmp_path_factory.mktemp("secure"), "--test-models",
                    "--tls-cert", certificate / "cert.pem",
                    "--tls-key", certificate / "key.pem")
    server.start()
    yield server
    server.stop()


def test_tritonclient_infers_over_https(secure, certificate):
    client = tritonclient.http.InferenceServerClient(
        f"127.0.0.1:{secure.http_port}", ssl=True,
        ssl_options={"ca_certs": str(certificate / "cert.pem")})
    tensor = tritonclient.http.InferInput("INPUT0", [1, 1], "BYTES")
    import numpy
    tensor.set_data_from_numpy(numpy.array([["aé" * 50_000]], dtype=object))
    for _ in range(3):
        answer = client.infer("identity", [tensor])
        assert answer.as_numpy("OUTPUT0")[0][0].decode() == "aé" * 50_000
    client.close()


def test_the_product_answers_over_https(secure, certificate):
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    request = urllib.request.Request(
        f"https://127.0.0.1:{secure.port}/v1/search?q=jude",
        headers={"Connection": "close"})
    with urllib.request.urlopen(request, context=context) as answer:
        assert answer.status == 200
        assert b"jude" in answer.read().lower()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_plain_http_and_old_tls_are_refused(secure):
    with pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
        urllib.request.urlopen(f"http://127.0.0.1:{secure.port}/health/live",
                               timeout=10)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((urllib.error.URLError, ssl.SSLError, OSError)):
        urllib.request.urlopen(f"https://127.0.0.1:{secure.port}/health/live",
                               context=old, timeout=10)
    assert secure.is_ready()


def test_wrong_files_are_named(server, certificate):
    def complaint(*options, expected=1):
        return program.run("serve", "--index", server.index, "--port", 0,
                           "--no-kserve", "--no-metrics", *options,
                           expected=expected)[1]

    assert "--tls-key" in complaint(
        "--tls-cert", certificate / "cert.pem", expected=2)
