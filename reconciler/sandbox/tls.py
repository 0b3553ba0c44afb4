"""A certificate authority for one evening: made at start, trusted by nobody else, gone with the process."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Authority:
    """An authority with its own key; `pem` is what a client must trust."""

    name: str = "Embedded company authority"
    days: int = 30

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def _certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        made = _builder(name, name, self._key.public_key(), -1, self.days)
        made = made.add_extension(x509.BasicConstraints(True, 0), True)
        made = made.add_extension(_usage(certificates=True), True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False)
        return made.sign(self._key, SHA256())

    @property
    def pem(self) -> str:
        return self._certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, names: Sequence[str] = LOOPBACK, begins: int = -1, ends: int = 30) -> tuple[str, str]:
        """(certificate, private key) as PEM for a server called any of `names`; `begins` and `ends` are days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = _builder(subject, self._certificate.subject, key.public_key(), begins, ends)
        made = made.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), False)
        made = made.add_extension(x509.BasicConstraints(False, None), True).add_extension(_usage(), True)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = made.add_extension(issuer, False).sign(self._key, SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return signed.public_bytes(Encoding.PEM).decode(), private

    def context(self, names: Sequence[str] = LOOPBACK, begins: int = -1, ends: int = 30) -> ssl.SSLContext:
        """A server's TLS context with a fresh certificate."""
        certificate, key = self.issue(names, begins, ends)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # ssl reads key material from files only
            path = Path(folder) / "server.pem"
            path.touch(0o600)
            path.write_text(certificate + key, "ascii")
            context.load_cert_chain(path)
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: int, ends: int
) -> x509.CertificateBuilder:  # fmt: skip
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now + timedelta(days=begins)).not_valid_after(now + timedelta(days=ends))


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=certificates, crl_sign=certificates, encipher_only=False, decipher_only=False,
    )  # fmt: skip
