"""TLS to the service: it is verified always, and what fails before the request is not sent."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ordertape.errors import ConnectTimeoutError, InDoubtError, NotSentError, StartUpError
from ordertape.model import Body, Headers, Request
from ordertape.testing import Close, Hang, ReadRequest, Respond, Scripted, Send, reply
from ordertape.upstream.live import Live, LiveSettings, tls_context

OK = reply(200, b"ok")
ORDER = Request("POST", "/accounts/1/orders", Headers(), Body(b"<Order/>"))


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return file


def served(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


@asynccontextmanager
async def live(
    url: str | Scripted, context: ssl.SSLContext, **settings: object
) -> AsyncIterator[Live]:
    url = url if isinstance(url, str) else url.url.replace("http:", "https:")
    client = Live(url, settings=LiveSettings(ssl=context, **settings))
    try:
        yield client
    finally:
        await client.close()


async def test_a_trusted_upstream_is_sent_the_request_and_its_connection_used_again(
    ca: trustme.CA, ca_file: Path
) -> None:
    async with (
        Scripted([Respond(OK)], tls=served(ca, "127.0.0.1")) as service,
        live(service.url, tls_context(ca_file)) as client,
    ):
        for _ in range(3):
            assert (await client.send(ORDER)).body == Body(b"ok")
        assert service.connections == 1
        assert (
            service.attempts
            == [
                f"POST /accounts/1/orders HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n"
                "Content-Length: 8\r\n\r\n<Order/>".encode()
            ]
            * 3
        )


async def test_a_self_signed_certificate_is_not_trusted(ca: trustme.CA) -> None:
    async with (
        Scripted([Respond(OK)], tls=served(ca, "127.0.0.1")) as service,
        live(service.url, tls_context()) as client,
    ):
        with pytest.raises(NotSentError, match=r"is not trusted .*; nothing was sent"):
            await client.send(ORDER)
    assert service.attempts == []


async def test_a_certificate_for_another_host_is_not_trusted(ca: trustme.CA, ca_file: Path) -> None:
    async with (
        Scripted([Respond(OK)], tls=served(ca, "other.example")) as service,
        live(service.url, tls_context(ca_file)) as client,
    ):
        with pytest.raises(
            NotSentError, match=r"is not trusted .*127\.0\.0\.1.*; nothing was sent"
        ):
            await client.send(ORDER)
    assert service.attempts == []


async def test_the_name_that_is_verified_can_be_set(ca: trustme.CA, ca_file: Path) -> None:
    async with (
        Scripted([Respond(OK)], tls=served(ca, "other.example")) as service,
        live(service.url, tls_context(ca_file), server_hostname="other.example") as client,
    ):
        assert (await client.send(ORDER)).body == Body(b"ok")


async def test_an_upstream_that_speaks_no_tls_is_not_sent_the_request(ca_file: Path) -> None:
    async with (
        Scripted([Send(OK), Hang()]) as service,
        live(service, tls_context(ca_file)) as client,
    ):
        with pytest.raises(NotSentError, match=r"TLS with .* failed .*; nothing was sent"):
            await client.send(ORDER)
    assert b"POST" not in b"".join(service.attempts)


async def test_an_upstream_that_closes_within_the_handshake_is_not_sent_the_request(
    ca_file: Path,
) -> None:
    async with Scripted([Close()]) as service, live(service, tls_context(ca_file)) as client:
        with pytest.raises(NotSentError, match="nothing was sent"):
            await client.send(ORDER)


async def test_a_handshake_that_hangs_counts_as_connecting(ca_file: Path) -> None:
    async with (
        Scripted([Hang()]) as service,
        live(service, tls_context(ca_file), connect_timeout=0.1) as client,
    ):
        with pytest.raises(ConnectTimeoutError):
            await client.send(ORDER)
        await service.wait_for_closed(1)


def test_an_old_version_of_tls_is_not_spoken(ca_file: Path) -> None:
    assert tls_context(ca_file).minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context(ca_file).verify_mode is ssl.CERT_REQUIRED
    assert tls_context(ca_file).check_hostname


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_is_shown(
    ca: trustme.CA, ca_file: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = served(ca, "127.0.0.1")
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    ours = ca.issue_cert("gateway@example.org")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    ours.private_key_pem.write_to_path(tmp_path / "key.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    contexts = [
        tls_context(ca_file, tmp_path / "both.pem"),
        tls_context(ca_file, tmp_path / "cert.pem", tmp_path / "key.pem"),
    ]
    async with Scripted([Respond(OK)], tls=context) as service:
        for shown in contexts:
            async with live(service.url, shown) as client:
                assert (await client.send(ORDER)).body == Body(b"ok")
        # In TLS 1.3 the server's refusal comes after the client may have sent.
        kind = NotSentError if version is ssl.TLSVersion.TLSv1_2 else InDoubtError
        async with live(service.url, tls_context(ca_file)) as client:
            with pytest.raises(kind):
                await client.send(ORDER)
    assert len(service.attempts) == 2


async def test_an_answer_of_no_stated_length_ends_with_a_farewell(
    ca: trustme.CA, ca_file: Path
) -> None:
    script = [ReadRequest(), Send(b"HTTP/1.1 200 OK\r\n\r\nwhole"), Close()]
    async with (
        Scripted(script, tls=served(ca, "127.0.0.1")) as service,
        live(service.url, tls_context(ca_file)) as client,
    ):
        rest = (await client.send(ORDER)).body.rest
        assert rest is not None
        assert b"".join([piece async for piece in rest]) == b"whole"


async def test_without_the_farewell_such_an_answer_may_be_cut_short_and_is_in_doubt(
    ca: trustme.CA, ca_file: Path
) -> None:
    async def cut(peer: object) -> None:
        peer.writer.transport.abort()

    script = [ReadRequest(), Send(b"HTTP/1.1 200 OK\r\n\r\nnot who"), cut]
    async with (
        Scripted(script, tls=served(ca, "127.0.0.1")) as service,
        live(service.url, tls_context(ca_file)) as client,
    ):
        rest = (await client.send(ORDER)).body.rest
        assert rest is not None
        with pytest.raises(InDoubtError):
            async for _ in rest:
                pass


async def test_a_large_body_passes_both_ways(ca: trustme.CA, ca_file: Path) -> None:
    big = bytes(range(256)) * 8192

    script = [Respond(reply(200, big))]
    async with (
        Scripted(script, tls=served(ca, "127.0.0.1")) as service,
        live(service.url, tls_context(ca_file)) as client,
    ):
        response = await client.send(Request("PUT", "/a", Headers(), Body(big)))
        assert response.body.rest is not None
        assert b"".join([piece async for piece in response.body.rest]) == big
        assert service.attempts[0].endswith(b"\r\n\r\n" + big)


def test_a_file_that_cannot_be_used_is_named(ca: trustme.CA, tmp_path: Path) -> None:
    missing, junk = tmp_path / "missing.pem", tmp_path / "junk.pem"
    cert, key, locked = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "locked.pem"
    junk.write_text("not PEM")
    ours, other = ca.issue_cert("a.example"), ca.issue_cert("b.example")
    ours.cert_chain_pems[0].write_to_path(cert)
    other.private_key_pem.write_to_path(key)
    private = load_pem_private_key(ours.private_key_pem.bytes(), None)
    locked.write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    cases = [
        ((missing,), f"The CA file {missing} cannot be used (No such file or directory)"),
        ((junk,), f"The CA file {junk} cannot be used ("),
        ((tmp_path,), f"The CA file {tmp_path} cannot be used ("),
        ((None, missing), f"The client certificate {missing} cannot be used (No such file"),
        ((None, junk), f"The client certificate {junk} cannot be used ("),
        ((None, cert, key), f"The client certificate {cert} with the key {key} cannot be used ("),
        ((None, cert, locked), f"{locked} cannot be used (the key has a passphrase)"),
        ((None, None, key), f"The key {key} has no certificate"),
    ]
    for files, sentence in cases:
        with pytest.raises(StartUpError) as refusal:
            tls_context(*files)
        assert sentence in str(refusal.value)
