"""A certificate authority of one's own, for a broker that no public one vouches for.

Lifetimes: the authority's certificate lies in devices that nobody visits often, so it lasts ten
years; the server's lasts 397 days, within the 398 that the CA/Browser Forum's Baseline Requirements
(6.3.2) let public certificates of 2020 to 2026 have and that clients came to expect; their later
cuts to 47 days suppose that renewal is automatic, which here it is not. EC P-256 with SHA-256
(FIPS 186-5, RFC 5480): small enough for the TLS of microcontrollers.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gridwarden.errors import GridwardenError

CA_KEY, CA_CERT, SERVER_KEY, SERVER_CERT = "ca.key", "ca.crt", "server.key", "server.crt"

AUTHORITY_LIFE = timedelta(days=3_650)
SERVER_LIFE = timedelta(days=397)
_AGO = timedelta(days=1)
"""Certificates hold from a day ago: clocks of devices are seldom right."""


class AuthorityError(GridwardenError):
    """The authority's files are not as they should be; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate that was made: for which names, until when (UTC)."""

    path: Path
    hosts: tuple[str, ...]
    until: datetime


def init(folder: Path, hosts: Sequence[str], now: datetime) -> Certified:
    """Make an authority and a server certificate in `folder`; AuthorityError if one is there."""
    _check(hosts)
    there = [name for name in (CA_KEY, CA_CERT) if (folder / name).exists()]
    if there:
        raise AuthorityError(
            f"{folder / there[0]} exists and is never overwritten: devices trust it; for a new "
            f"server certificate use `gridwarden tls renew {folder}`"
        )
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(key, now)
    _write(folder / CA_KEY, _pem(key), 0o600)
    _write(folder / CA_CERT, authority.public_bytes(Encoding.PEM), 0o644)
    return _issue(folder, authority, key, hosts, now)


def renew(folder: Path, hosts: Sequence[str], now: datetime) -> Certified:
    """Make a new server key and certificate; for the names of the last one if none are given.

    AuthorityError where the authority cannot be read or ends before the new certificate would.
    """
    key, authority = _load(folder)
    if authority.not_valid_after_utc < now + SERVER_LIFE:
        until = f"{authority.not_valid_after_utc:%Y-%m-%d}"
        raise AuthorityError(
            f"the authority in {folder} ends on {until}, before a new server certificate would: "
            "make a new one in another folder, and bring its ca.crt to every device before then"
        )
    names = tuple(hosts) or _names(_certificate(folder / SERVER_CERT))
    _check(names)
    return _issue(folder, authority, key, names, now)


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name(f"Gridwarden authority {now:%Y-%m-%d}")
    usage = {"key_cert_sign": True, "crl_sign": True}
    return (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(usage), critical=True)
        .sign(key, hashes.SHA256())
    )


def _issue(
    folder: Path,
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    hosts: Sequence[str],
    now: datetime,
) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    certificate = (
        _builder(_name(hosts[0][:64]), authority.subject, key.public_key(), now, SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage({"digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(map(_host, hosts))), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(folder / SERVER_KEY, _pem(key), 0o600)
    _write(folder / SERVER_CERT, certificate.public_bytes(Encoding.PEM), 0o644)
    return Certified(folder / SERVER_CERT, tuple(hosts), certificate.not_valid_after_utc)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _AGO)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(allowed: dict[str, bool]) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in every})


def _load(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    path = folder / CA_KEY
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise AuthorityError(f"{path} is no key that can be read: {error}") from None
    certificate = _certificate(folder / CA_CERT)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != certificate.public_key()
    ):
        raise AuthorityError(f"{path} is not the key of {folder / CA_CERT}")
    return key, certificate


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AuthorityError(f"{path} is no certificate that can be read: {error}") from None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        *found.get_values_for_type(x509.DNSName),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    )


def _check(hosts: Sequence[str]) -> None:
    if not hosts:
        raise AuthorityError("no name: give each that devices use to reach the broker as --host")
    for host in hosts:
        try:
            _host(host)
        except ValueError:
            raise AuthorityError(f"{host!r} is no host name or IP address") from None
        if not host or (any(sign in host for sign in " /:@") and not _is_address(host)):
            raise AuthorityError(f"{host!r} is no host name or IP address")


def _host(host: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(host)) if _is_address(host) else x509.DNSName(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(mode)
    beside.replace(path)
