"""Ports, addresses, TLS, and what is said when they cannot be had."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from ordertape.errors import StartUpError
from ordertape.server import Listener, ListenerSettings, check_parser
from raw_http import Client, Serve, Served, Stub

Certificate = tuple[Path, Path, ssl.SSLContext]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_ipv6_is_listened_on(serve: Serve) -> None:
    served: Served = await serve(listen="[::1]:0")
    assert served.listener.url == f"http://[::1]:{served.listener.port}"
    reader, writer = await asyncio.open_connection("::1", served.listener.port)
    client = Client(reader, writer)
    served.clients.append(client)
    await client.send(GET)
    assert (await client.reply()).status == 200
    assert served.stub.handled[0].peer.startswith("[::1]:")


async def test_its_repr_says_where_and_how_many(served: Served) -> None:
    client = await served.connect()
    await client.send(GET)
    await client.reply()
    url = f"http://127.0.0.1:{served.listener.port}"
    assert repr(served.listener) == f"<Listener {url} listening, 1 connections>"


async def test_a_port_in_use_is_one_sentence(served: Served) -> None:
    taken = f"127.0.0.1:{served.listener.port}"
    with pytest.raises(StartUpError) as error:
        await Listener(Stub(), settings=ListenerSettings(listen=taken)).start()
    assert str(error.value) == (
        f"{taken} is in use by another program; end that, or name another with --listen."
    )


@pytest.mark.parametrize("listen", ["8080", "a:b", "::1:80", "127.0.0.1:65536", "[::1]", ""])
async def test_an_address_that_is_none_is_one_sentence(listen: str) -> None:
    with pytest.raises(StartUpError, match="is not HOST:PORT"):
        await Listener(Stub(), settings=ListenerSettings(listen=listen)).start()


async def test_a_name_that_does_not_resolve_is_one_sentence() -> None:
    settings = ListenerSettings(listen="no.such.host.invalid:0")
    with pytest.raises(StartUpError, match=r"cannot listen on no\.such\.host\.invalid:0"):
        await Listener(Stub(), settings=settings).start()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return chain, key, context


async def test_tls_answers_and_rewrites_location_to_https(
    serve: Serve, certificate: Certificate
) -> None:
    chain, key, context = certificate
    served: Served = await serve(certificate=chain, key=key)
    assert served.listener.url == f"https://127.0.0.1:{served.listener.port}"
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", served.listener.port, ssl=context, server_hostname="localhost"
    )
    client = Client(reader, writer)
    served.clients.append(client)
    for _ in range(2):
        await client.send(GET)
        assert (await client.reply()).body == b"fine"
    await client.send(b"GET / HTTP/9.9\r\n\r\n")
    reply = await client.reply()
    assert reply.status == 505
    assert served.stub.delivered == [True, True, True]


async def test_a_certificate_that_cannot_be_used_is_one_sentence(
    certificate: Certificate, tmp_path: Path
) -> None:
    chain, key, _ = certificate
    missing = tmp_path / "missing.pem"
    for pair in ((missing, key), (chain, missing), (chain, chain), (key, key)):
        settings = ListenerSettings(listen="127.0.0.1:0", certificate=pair[0], key=pair[1])
        with pytest.raises(StartUpError, match="cannot be used"):
            await Listener(Stub(), settings=settings).start()
    with pytest.raises(StartUpError, match="without a certificate"):
        await Listener(Stub(), settings=ListenerSettings(key=key)).start()


def test_this_installation_has_the_strict_parser() -> None:
    check_parser()
