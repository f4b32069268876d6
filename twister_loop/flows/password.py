"""Password of the servers that this package starts, and where `twister up` keeps it.

Without one, every program and every web page that reaches the port can approve candidates and run
commands on the worker. The password passes between processes in the environment, which only its
user can read, and never in arguments.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from prefect.context import refresh_global_settings_context
from prefect.settings import get_current_settings

from ..core.errors import ConfigError

SERVER_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_VARIABLE = "PREFECT_API_AUTH_STRING"
ORIGINS_VARIABLE = "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"
MINIMUM_LENGTH = 16
"""Characters; a file with less was not written by this module."""

log = logging.getLogger("twister_loop")


def password_file() -> Path:
    """Return the path of the file that keeps the password of `twister up`."""
    return Path(get_current_settings().home) / "twister" / "password"


def chosen_password() -> str | None:
    """Return the password that the user has set for servers, in whatever way Prefect reads it."""
    setting = get_current_settings().server.api.auth_string
    return setting.get_secret_value() or None if setting else None


def make_password() -> str:
    """Return a new random password in the form `user:password`, which Prefect expects."""
    return f"twister:{secrets.token_urlsafe(32)}"


def stored_password() -> str:
    """Return the password in `password_file`, which is created at the first call.

    Raises:
        ConfigError: The folder cannot be written, or belongs to another user.
    """
    path = password_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid != os.geteuid():
            raise ConfigError(f"{path.parent}: this folder belongs to another user")
        path.parent.chmod(0o700)
        if password := _read_private(path):
            return password
        if path.is_symlink() or path.exists():
            # Others may have read it, so the old password must not stay in use.
            log.warning("%s was not private; it gets a new password", path)
            path.unlink()
        return _create(path)
    except OSError as cause:
        raise ConfigError(f"cannot keep the server's password in {path}: {cause}") from cause


def set_server_access(url: str, host: str, password: str) -> None:
    """Set password and origins of a server that this process starts, for it and its clients.

    Args:
        url: API address of the server, as this machine reaches it.
        host: Address that the server binds.
        password: Text of the form `user:password`.

    Raises:
        ConfigError: The user has allowed the pages of every web site (`*`).
    """
    port = urlsplit(url).port
    names = dict.fromkeys(("127.0.0.1", "localhost", bracketed(host)))
    origins = ",".join(f"http://{name}:{port}" for name in names)
    chosen = get_current_settings().server.api
    if "cors_allowed_origins" in chosen.model_fields_set:
        if "*" in chosen.cors_allowed_origins:
            raise ConfigError(
                f"{ORIGINS_VARIABLE}: a * lets every web page use this server; name the addresses "
                "of the pages, such as https://twister.example.com"
            )
        origins = f"{origins},{chosen.cors_allowed_origins}"
    os.environ |= {
        "PREFECT_API_URL": url,
        SERVER_VARIABLE: password,
        CLIENT_VARIABLE: password,
        ORIGINS_VARIABLE: origins,
    }
    refresh_global_settings_context()


def use_stored_password() -> None:
    """Use the password of `twister up` for a server on this machine, unless the user has set one.

    It is never sent to another machine.
    """
    settings = get_current_settings()
    if settings.api.auth_string or not _is_loopback(urlsplit(settings.api.url or "").hostname):
        return
    password = None
    with suppress(OSError):
        password = _read_private(password_file())
    if password:
        os.environ[CLIENT_VARIABLE] = password
        refresh_global_settings_context()


def bracketed(host: str) -> str:
    """Return the host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:  # a host name, or no host
        return False


def _read_private(path: Path) -> str | None:
    """Return the password of a file that only this user can read; None if there is none."""
    try:
        # A link may lead to a file that somebody else has written.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        if path.is_symlink():
            return None
        raise
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        status = os.fstat(file.fileno())
        is_private = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o077
        if not is_private or status.st_uid != os.geteuid():
            return None
        password = file.read().strip()
    is_complete = password.isprintable() and len(password) >= MINIMUM_LENGTH and ":" in password
    return password if is_complete else None


def _create(path: Path) -> str:
    password = make_password()
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{password}\n")
    # Linked, not renamed: if another `twister up` was faster, its password stays.
    try:
        path.hardlink_to(scratch)
    except FileExistsError:
        password = _read_private(path) or password
    finally:
        scratch.unlink()
    return password
