"""A development identity for signing provenance manifests: a small CA and one certificate it issued.

Knows the certificate profile of the C2PA specification (2.2, section 14.5.1). Knows nothing of where the
result is stored or who signs with it. No validator trusts this CA: manifests read as well-formed and
untampered, by an unknown issuer.
"""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = timedelta(days=5 * 365)


def development_certificate(organisation: str = "Cadenza development") -> tuple[str, str]:
    """Return (chain, key): PEM certificates, signer first and CA last, and the signer's PKCS#8 PEM key.

    The CA's own key is forgotten on return, so nothing else can ever be issued in its name.
    """
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name(organisation, "Development CA")
    authority = _sign(_authority(ca_name, ca_key.public_key()), ca_key)
    signer = _sign(_signer(_name(organisation, "Development signer"), key.public_key(), authority), ca_key)
    pem = serialization.Encoding.PEM
    chain = signer.public_bytes(pem) + authority.public_bytes(pem)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return chain.decode("ascii"), private.decode("ascii")


def _name(organisation: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    # A day's grace: the signer's clock may run behind the one that made the certificate.
    start = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _authority(name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        _certificate(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(issues=True), critical=True)
    )


def _signer(
    name: x509.Name, key: ec.EllipticCurvePublicKey, authority: x509.Certificate
) -> x509.CertificateBuilder:
    subject_key = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _certificate(name, authority.subject, key)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(issues=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    )


def _key_usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        key_cert_sign=issues,
        crl_sign=issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(certificate: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return certificate.sign(key, hashes.SHA256())
