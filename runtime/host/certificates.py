"""Makes certificates: an authority for a cluster, and what its nodes and clients show each other.

All keys are ECDSA P-256. A node's certificate names the node in a URI, which its peers check, and
the host names and addresses at which clients find it, which clients check. A client's certificate
has a URI of another kind, so that it never passes for a node's. Nothing that exists is ever
overwritten.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from runtime.host.config import TlsFiles
from runtime.host.tls import CLIENT_URI, NODE_URI

AUTHORITY: Final = "ca"
DEFAULT_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
DEFAULT_DAYS: Final = 3650

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_HOST: Final = re.compile(r"[A-Za-z0-9_*]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


class CertificateError(Exception):
    """A certificate cannot be made; the message says why."""


def make_authority(directory: Path, *, days: int = DEFAULT_DAYS) -> TlsFiles:
    """Make a new authority in a directory: `ca.pem`, and `ca-key.pem`, which only signs others."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accordant authority")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(directory, AUTHORITY, certificate, key)
    return TlsFiles(directory / f"{AUTHORITY}.pem", directory)


def make_node(
    directory: Path,
    node: str,
    *,
    hosts: Sequence[str] = DEFAULT_HOSTS,
    days: int = DEFAULT_DAYS,
) -> None:
    """Make the certificate of a node, signed by the authority in the same directory.

    `hosts` are the names and IP addresses at which clients reach it.
    """
    names = [x509.UniformResourceIdentifier(NODE_URI + _checked(node)), *map(_host, hosts)]
    _signed(
        directory,
        node,
        names,
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
        days,
    )


def make_client(directory: Path, name: str, *, days: int = DEFAULT_DAYS) -> None:
    """Make the certificate of a client, signed by the authority in the same directory.

    Its files are called after the client, as a node's are: no two of them have the same name.
    """
    names = [x509.UniformResourceIdentifier(CLIENT_URI + _checked(name))]
    _signed(directory, name, names, [ExtendedKeyUsageOID.CLIENT_AUTH], days)


def _signed(
    directory: Path,
    name: str,
    names: Sequence[x509.GeneralName],
    purposes: list[x509.ObjectIdentifier],
    days: int,
) -> None:
    authority, authority_key = _authority(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(subject, authority.subject, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(directory, name, certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name == AUTHORITY:
        raise CertificateError(f"`{name}` cannot be the name of a node or client")
    return name


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host):
            raise CertificateError(f"`{host}` is no host name or IP address") from None
        return x509.DNSName(host)


def _authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((directory / f"{AUTHORITY}.pem").read_bytes())
        key = serialization.load_pem_private_key(
            (directory / f"{AUTHORITY}-key.pem").read_bytes(), password=None
        )
    except OSError as error:
        raise CertificateError(
            f"cannot read {error.filename}: {error.strerror}; `accordant certs init` makes the "
            "authority"
        ) from None
    except ValueError as error:
        raise CertificateError(f"the authority in {directory} cannot be used: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{directory / f'{AUTHORITY}-key.pem'} is no key of `certs init`")
    return certificate, key


def _write(
    directory: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    """Write key and certificate, both new files; only their owner may read the key."""
    files = {
        directory / f"{name}-key.pem": (
            0o600,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        ),
        directory / f"{name}.pem": (
            0o644,
            certificate.public_bytes(serialization.Encoding.PEM),
        ),
    }
    for path in files:
        if os.path.lexists(path):
            raise CertificateError(f"{path} exists; nothing is overwritten")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, (mode, data) in files.items():
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
    except FileExistsError:
        raise CertificateError(f"{path} exists; nothing is overwritten") from None
    except OSError as error:
        raise CertificateError(f"cannot write {path}: {error.strerror}") from None
