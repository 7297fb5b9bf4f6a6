"""What can be configured: one model, in which every field is documented, once.

Times are in seconds; sizes are bytes or a number with a unit, such as "16MiB".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ordertape.config.quotas import Digest, QuotaOverride, QuotaSection
from ordertape.config.section import AccountId, Section, wrong
from ordertape.config.sources import Sources
from ordertape.matching import Matching, mistake_in_header, mistake_in_ignored

_TOKEN = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"  # noqa: S105 - a token of HTTP's, no secret
_PSEUDONYM = rf"{_TOKEN[:-1]}(:[0-9]+)?$"
Token = Annotated[str, Field(pattern=_TOKEN)]
"""A field name or pseudonym (RFC 9110 section 5.6.2)."""

Key = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Whatever is waited for ends."""

ServerError = Annotated[int, Field(ge=500, le=599)]


class Tls(Section):
    """A certificate of the gateway's own."""

    certificate: Path | None = Field(None, description="PEM file, the chain included.")
    key: Path | None = Field(None, description="PEM file of its private key.")


class UpstreamTls(Tls):
    """How an https upstream is verified, and what the gateway shows it. There is no off switch."""

    ca: Path | None = Field(None, description="PEM file of trusted CAs instead of the system's.")
    server_name: str | None = Field(None, description="Name to verify and send as SNI.")


class Timeouts(Section):
    """How long the gateway waits."""

    connect: Seconds = Field(5, description="Name look-up, TCP and TLS to the upstream.")
    read: Seconds = Field(60, description="Between two pieces of the upstream's answer.")
    order_total: Seconds = Field(
        120, description="An order's whole exchange upstream; over twice connect."
    )
    upstream_idle: float = Field(
        2, ge=0, allow_inf_nan=False, description="Age at which a pooled connection is closed."
    )
    header: Seconds = Field(10, description="A client's request line and headers.")
    body: Seconds = Field(30, description="A client's buffered body.")
    keepalive: Seconds = Field(75, description="An idle client connection.")
    shutdown: Seconds = Field(130, description="Exchanges in flight at SIGTERM; over order_total.")

    @model_validator(mode="after")
    def _in_proportion(self) -> Self:
        if self.order_total <= 2 * self.connect:
            raise ValueError(
                "order_total must be more than twice connect, or an order could be in doubt "
                "that was never sent"
            )
        if self.shutdown <= self.order_total:
            raise ValueError(
                "shutdown must be more than order_total, or a stop could break off orders"
            )
        return self


class Limits(Section):
    """How much the gateway takes in and keeps."""

    order: ByteSize = Field(
        ByteSize(1 << 20), le=1 << 20, description="An order's body; 1 MiB at most."
    )
    order_answer: ByteSize = Field(ByteSize(8 << 20), description="The answer to an order.")
    record: ByteSize = Field(ByteSize(1 << 20), description="What is kept of other bodies.")
    connections: int = Field(1000, gt=0, description="Client connections at once.")
    upstream_connections: int = Field(100, gt=0, description="Upstream connections at once.")


class StoreSection(Section):
    """How exchanges are kept."""

    durability: Literal["normal", "strict"] = Field(
        "normal", description="strict: safe requests too wait for their record."
    )
    emergency: Path | None = Field(
        None, description="Where outcomes go when the store fails; best on another mount."
    )
    min_free: ByteSize = Field(
        ByteSize(64 << 20), description="Free space below which new orders are refused."
    )
    ballast: ByteSize = Field(
        ByteSize(16 << 20), description="Space held back for the outcomes of orders already sent."
    )
    queue: ByteSize = Field(
        ByteSize(16 << 20), description="Records of safe requests that may wait."
    )
    commit_deadline: Seconds = Field(
        5, description="How long an outcome is tried before it goes to the emergency file."
    )


class Redact(Section):
    """What is stored only as a keyed digest, beside credentials and cookies."""

    headers: tuple[Token, ...] = Field((), description="Header names.")
    query: tuple[Key, ...] = Field((), description="Query keys.")


class MatchingSection(Section):
    """Which requests a recording answers, beside those that say the same as the recorded one."""

    ignore: tuple[str, ...] = Field(
        (), description="XPaths (/Order/Name), query keys (?page) and headers that do not count."
    )
    headers: tuple[str, ...] = Field((), description="Headers whose values must be equal too.")
    element_order: Literal["any", "significant"] = Field(
        "any", description="Whether an order's elements may stand in any order."
    )

    @field_validator("ignore")
    @classmethod
    def _places(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return _without(entries, mistake_in_ignored)

    @field_validator("headers")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _without(names, mistake_in_header)

    @property
    def options(self) -> Matching:
        """The options of matching."""
        return Matching(self.ignore, self.headers, self.element_order)


def _without(entries: tuple[str, ...], mistake: Callable[[str], str | None]) -> tuple[str, ...]:
    """The entries, if none of them is wrong."""
    for entry in entries:
        if said := mistake(entry):
            raise wrong(f"{said}.")
    return entries


class Orders(Section):
    """How orders are read."""

    fallback_charset: Literal["iso-8859-1"] | None = Field(
        None,
        description="For bytes that are not UTF-8 as they claim; such orders are refused else.",
    )


class Rules(BaseModel):
    """Rule files, and the fields of rules by rule name.

    `rules = ["./house_rules.py"]` is short for `files`, where no rule is configured.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, dict[str, Any]] = Field(init=False)

    files: tuple[Path, ...] = Field((), description="Python files with rules of one's own.")

    @property
    def fields(self) -> Mapping[str, Mapping[str, object]]:
        """The fields of rules, by rule name."""
        return self.__pydantic_extra__


class Account(Section):
    """What holds for one account only."""

    rules: dict[str, dict[str, Any]] = Field({}, description="Fields of rules, by rule name.")
    quotas: dict[str, QuotaOverride] = Field({}, description="Fields of quotas, by quota name.")
    credentials: tuple[Digest, ...] = Field(
        (), description="Digests of the only credentials that it is used with."
    )

    @field_validator("credentials")
    @classmethod
    def _some(cls, digests: tuple[str, ...]) -> tuple[str, ...]:
        if not digests:
            raise wrong("nothing could be used with the account; add a digest, or leave it out.")
        return digests


class Settings(Section):
    """Everything that can be configured."""

    upstream: str | None = Field(None, description="Base URL of the service.")
    sandbox: bool = Field(default=False, description="Answer from the built-in sandbox.")
    seed: int = Field(0, description="What the sandbox's ids and numbers are made from.")
    listen: str = Field("127.0.0.1:8080", description="HOST:PORT for clients.")
    admin: str = Field("127.0.0.1:8081", description="HOST:PORT for health checks, or off.")
    admin_names: tuple[str, ...] = Field(
        (), description="Host names that the admin listener answers to, beside loopback's."
    )
    db: Path = Field(Path("ordertape.db"), description="The store.")
    key_file: Path | None = Field(None, description="Key of the digests; FILE.db.key otherwise.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged."
    )
    public_url: str | None = Field(
        None,
        pattern=r"^(?i:https?)://[^\s/?#@]+(/[^\s?#]*)?$",
        description="The gateway's own URL in Location; from Host otherwise.",
    )
    rewrite_location: bool = Field(default=True, description="Make Location point at the gateway.")
    preserve_host: bool = Field(
        default=False, description="Send the client's Host upstream, not the upstream's own."
    )
    via: str | None = Field(
        None, pattern=_PSEUDONYM, description="Pseudonym in Via; made from the key otherwise."
    )
    tls: Tls = Field(Tls(), description="TLS on the listener.")
    upstream_tls: UpstreamTls = Field(UpstreamTls(), description="TLS to the upstream.")
    timeouts: Timeouts = Field(Timeouts(), description="Seconds.")
    limits: Limits = Field(Limits(), description="Sizes.")
    store: StoreSection = Field(StoreSection(), description="Durability.")
    redact: Redact = Field(Redact(), description="Secrets.")
    matching: MatchingSection = Field(MatchingSection(), description="Replay.")
    repeat: Literal["last", "loop", "error"] | None = Field(
        None,
        description="What replay answers when all recordings of a request are used: the last "
        "again, all again, or an error; by default the last to GET, HEAD and OPTIONS only.",
    )
    spy: tuple[Path, ...] = Field(
        (), description="Recordings that `serve` answers from before it asks the upstream."
    )
    spy_send_orders: bool = Field(
        default=False,
        description="Send orders, and other unsafe requests, that no recording of `spy` answers.",
    )
    orders: Orders = Field(Orders(), description="Reading.")
    rules: Rules = Field(Rules(), description="Rule files, and fields of rules by rule name.")
    quotas: tuple[QuotaSection, ...] = Field((), description="What accounts may order.")
    quota_headers: Literal["refusals", "always", "never"] = Field(
        "refusals", description="Which answers tell of quotas in RateLimit fields."
    )
    quota_refunds: tuple[ServerError, ...] = Field(
        (), description="5xx statuses of the service that are known to cost nothing."
    )
    v2_orders: Literal["refuse", "pass"] = Field(
        "refuse", description="Version 2 orders, whose cost nobody knows, where a quota enforces."
    )
    accounts: dict[AccountId, Account] = Field({}, description="Overrides, by account id.")

    @field_validator("spy_send_orders")
    @classmethod
    def _of_a_spy(cls, sends: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's signature
        if sends and info.data.get("spy") == ():
            raise wrong(
                "there are no recordings to answer from; name some in spy, or leave it out."
            )
        return sends

    _sources: Sources = PrivateAttr(default_factory=Sources)

    def model_post_init(self, context: Any) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep where it was said, when `load` tells."""
        if isinstance(context, Sources):
            self._sources = context

    @property
    def sources(self) -> Sources:
        """Where each setting was said."""
        return self._sources
