"""The configuration: flags over `ORDERTAPE_*` over `ordertape.toml` over defaults, as one model.

Every field is documented once, here; `config show` prints them with where each value came from.
Times are in seconds; sizes are bytes or a number with a unit, such as "16MiB".
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from ordertape.errors import StartUpError

DEFAULT_FILE = Path("ordertape.toml")
"""Read where it exists in the working directory and no other file is named."""

_STRICT = ConfigDict(extra="forbid", frozen=True)
_PREFIX = "ORDERTAPE_"
_NESTED = "__"
# What Kubernetes tells every container of a service called "ordertape"; it means nothing here.
_SERVICE_LINK = re.compile(r"(SERVICE|PORT)(_|$)")

_TOKEN = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"  # noqa: S105 - a token of HTTP's, no secret
_PSEUDONYM = rf"{_TOKEN[:-1]}(:[0-9]+)?$"
Token = Annotated[str, Field(pattern=_TOKEN)]
"""A field name or pseudonym (RFC 9110 section 5.6.2)."""

Key = Annotated[str, Field(min_length=1)]
AccountId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Whatever is waited for ends."""

_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_SECRET = re.compile(r"password|passphrase|secret|token|credential|api_?key", re.IGNORECASE)
_HIDDEN = "***"


class _Section(BaseModel):
    model_config = _STRICT


class Tls(_Section):
    """A certificate of the gateway's own."""

    certificate: Path | None = Field(None, description="PEM file, the chain included.")
    key: Path | None = Field(None, description="PEM file of its private key.")


class UpstreamTls(Tls):
    """How an https upstream is verified, and what the gateway shows it. There is no off switch."""

    ca: Path | None = Field(None, description="PEM file of trusted CAs instead of the system's.")
    server_name: str | None = Field(None, description="Name to verify and send as SNI.")


class Timeouts(_Section):
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


class Limits(_Section):
    """How much the gateway takes in and keeps."""

    order: ByteSize = Field(
        ByteSize(1 << 20), le=1 << 20, description="An order's body; 1 MiB at most."
    )
    order_answer: ByteSize = Field(ByteSize(8 << 20), description="The answer to an order.")
    record: ByteSize = Field(ByteSize(1 << 20), description="What is kept of other bodies.")
    connections: int = Field(1000, gt=0, description="Client connections at once.")
    upstream_connections: int = Field(100, gt=0, description="Upstream connections at once.")


class StoreSection(_Section):
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


class Redact(_Section):
    """What is stored only as a keyed digest, beside credentials and cookies."""

    headers: tuple[Token, ...] = Field((), description="Header names.")
    query: tuple[Key, ...] = Field((), description="Query keys.")


class Orders(_Section):
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

    @model_validator(mode="before")
    @classmethod
    def _files_alone(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        return {"files": given} if isinstance(given, list | tuple) else given

    @property
    def fields(self) -> Mapping[str, Mapping[str, object]]:
        """The fields of rules, by rule name."""
        return self.__pydantic_extra__


class Account(_Section):
    """What holds for one account only."""

    rules: dict[str, dict[str, Any]] = Field({}, description="Fields of rules, by rule name.")


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter=_NESTED, extra="forbid", frozen=True
    )

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
    orders: Orders = Field(Orders(), description="Reading.")
    rules: Rules = Field(Rules(), description="Rule files, and fields of rules by rule name.")
    accounts: dict[AccountId, Account] = Field({}, description="Overrides, by account id.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load` has merged every source already, and knows which said what."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, and for each dotted key the place that set it."""

    settings: Settings
    places: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """(dotted key, value, place) of every setting, defaults included, and no secret."""
        for key, value in _leaves(self.settings.model_dump(mode="json")):
            yield key, _without_secrets(key, value), self.places.get(key, "default")


def load(file: Path | None, flags: Mapping[str, Any]) -> Loaded:
    """Read the configuration; `flags` holds what the command line said, None where nothing.

    Errors: StartUpError names the place, the key, what is wrong with it, and the nearest right
    name of a key that does not exist.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    path = file if file is not None else DEFAULT_FILE if DEFAULT_FILE.exists() else None
    from_file = {} if path is None else _read(path)
    from_environment = _environment()
    layers = [("command line", given), ("environment", from_environment), (str(path), from_file)]
    merged: dict[str, Any] = {}
    for _, layer in reversed(layers):
        merged = _merge(merged, layer)
    places: dict[str, str] = {}
    for name, layer in reversed(layers):
        places.update((key, name) for key, _ in _leaves(layer))
    try:
        return Loaded(Settings.model_validate(merged), places)
    except ValidationError as error:
        raise StartUpError(_sentence(error, places)) from error


def _environment() -> dict[str, Any]:
    for name in os.environ:
        _check_variable(name)
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        field = str(error).partition('"')[2].partition('"')[0]
        raise StartUpError(
            f"A variable of {_PREFIX}{field.upper()} is not the JSON that lists and tables are "
            f"written in; correct it: ORDERTAPE_REDACT__HEADERS='[\"X-Secret\"]' is an example."
        ) from error


def _check_variable(name: str) -> None:
    """A misspelt variable would be left out without a word. Errors: StartUpError."""
    if not name.upper().startswith(_PREFIX) or _SERVICE_LINK.match(name.upper(), len(_PREFIX)):
        return
    key, *inner = name[len(_PREFIX) :].lower().split(_NESTED)
    field = Settings.model_fields.get(key)
    if field is None:
        near = difflib.get_close_matches(key, Settings.model_fields, n=1)
        hint = f"did you mean {_PREFIX}{near[0].upper()}?" if near else "unset it."
        raise StartUpError(f"The variable {name} sets nothing that exists; {hint}")
    if inner and isinstance(field.default, str | int | Path | None):
        raise StartUpError(f"The variable {name} goes too deep: {key} is one value; correct it.")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartUpError(
            f"The configuration {path} cannot be read ({error.strerror}); "
            "name another with --config."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartUpError(f"The configuration {path} is not TOML: {error}; mend it.") from error


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        standing = merged.get(key)
        both = isinstance(standing, dict) and isinstance(value, dict)
        merged[key] = _merge(standing, value) if both else value  # type: ignore[arg-type]
    return merged


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _without_secrets(key: str, value: object) -> object:
    """Rules may be a stranger's, and have fields that are nobody else's business."""
    if key.startswith(("rules.", "accounts.")) and _SECRET.search(key):
        return _HIDDEN
    return _USERINFO.sub(f"{_HIDDEN}@", value) if isinstance(value, str) else value


def _concerns(setting: str, key: str) -> bool:
    """Whether one of them is, or lies within, the other."""
    return f"{setting}.".startswith(f"{key}.") or f"{key}.".startswith(f"{setting}.")


def _sentence(error: ValidationError, places: Mapping[str, str]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]).removesuffix(".[key]")
    place = next((name for at, name in places.items() if _concerns(at, key)), "default")
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), _names(first["loc"][:-1]), n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/reference.md lists them all."
        return f"There is no setting {key} (from {place}); {hint}"
    wrong = first["msg"].removeprefix("Value error, ").replace("valid tuple", "valid array")
    if first["type"] == "value_error" and key not in places:  # a section's own: several settings
        return f"The settings {key} do not fit together: {wrong}; correct them."
    return f"The setting {key} (from {place}) is wrong: {wrong}; correct it."


def _names(where: tuple[int | str, ...]) -> list[str]:
    """The settings that exist below `where`."""
    model: Any = Settings
    for part in where:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        model = field.annotation if field is not None else Account
    return list(getattr(model, "model_fields", {}))
