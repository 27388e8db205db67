# SPDX-License-Identifier: MIT
"""HTTPS as it is deployed: a certificate, its key, and clients that check it."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.archive.test_archive_kills import Fleet
from tests.fakes.archive_process import ArchiveProcess


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "archive")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(made.public_bytes(Encoding.PEM))
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert_path, key_path


def test_the_archive_serves_https_and_not_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    made = Fleet(tmp_path, 0, 0)
    cert, key = self_signed(tmp_path)
    options = ("--cert", str(cert), "--key", str(key))
    with ArchiveProcess(made.owner.home.root, *options, passphrase=made.passphrase) as process:
        assert process.url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=str(cert))
        headers = {"Authorization": f"Bearer {made.token_file.read_text()}"}
        with httpx2.Client(verify=trusted, trust_env=False, headers=headers) as http:
            assert http.get(process.url + "/v1/me").json()["name"] == "dock"
        with httpx2.Client(trust_env=False) as http:
            with pytest.raises(httpx2.HTTPError):  # nobody we know signed it
                http.get(process.url + "/v1/alive")
            with pytest.raises(httpx2.HTTPError):
                http.get(process.url.replace("https", "http") + "/v1/alive")
