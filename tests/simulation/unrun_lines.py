"""What a campaign does not run, with its reason: what only threads do, or a real disk, or nobody.

A place is a file or a function in it (`file::Class.method`), of which no line is run; or with
`::rest` what of it is not run, where it is mixed. What is listed here and was run after all, or of
which nothing is left, is told by `line_coverage.py`.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# What of a place is not run.
REST: Final = "rest"

UNRUN: Final[Mapping[str, tuple[str, ...]]] = {
    "another thread: here there is one": (
        "actors/kernel/future.py::rest",
        "actors/kernel/mailbox.py::Mailbox.put::rest",
        "actors/kernel/mailbox.py::Mailbox.signal::rest",
        "actors/kernel/mailbox.py::Mailbox._put_from_elsewhere",
        "actors/kernel/mailbox.py::Mailbox._offer_unattended::rest",
        "actors/kernel/ref.py::ActorRef.ask::rest",
        "actors/kernel/deadlines.py::Deadlines.add::rest",
        "actors/kernel/ref.py::_on_loop",
        "actors/store/files/hold.py::rest",
        "actors/service/backing_up.py::rest",
        "actors/store/inline_store.py::InlineStore.between_batches",
        "actors/store/transaction.py::ReadTransaction.revoke",
        "actors/store/transaction.py::ReadTransaction._over",
        "actors/store/transaction.py::ReadTransaction.check::rest",
        "actors/store/sqlite_store.py::SqliteStore._step",
    ),
    "a mistake of an author's, found when it is declared, or when its system starts": (
        "actors/service/handler_spec.py::rest",
        "actors/service/send_check.py::rest",
        "actors/service/service.py::rest",
        "actors/service/group.py::rest",
        "actors/service/json_types.py::rest",
        "actors/service/assembly.py::made_of::rest",
        "actors/service/assembly.py::ServiceSystem.committed::rest",
        "actors/service/stateless/replicas.py::rest",
        "actors/kernel/registry.py::rest",
        "actors/kernel/state_machine.py::rest",
        "actors/kernel/behavior.py::rest",
        "actors/kernel/ref.py::ActorRef.proxy",
        "actors/kernel/actor.py::AsyncioActor._create_actor_inbox",
        "actors/kernel/actor.py::AsyncioActor._create_future",
        "actors/store/files/migrations.py::load_migrations::rest",
        "actors/store/files/migrations.py::_load_folder::rest",
        "actors/store/files/migrations.py::_typed::rest",
        "actors/store/files/schema_check.py::rest",
        "actors/store/messaging/output_buffer.py::rest",
        "actors/store/messaging/deferred_replies.py::put_off::rest",
        "actors/store/group_commit.py::GroupCommit._run_one::rest",
        "http_edge/address.py::rest",
        "http_edge/address_table.py::_Node.child::rest",
        "http_edge/table_check.py::rest",
        "http_edge/endpoints/service_endpoint.py::faults_of::rest",
        "http_edge/endpoints/service_endpoint.py::_lacking::rest",
        "http_edge/endpoints/stream_endpoint.py::StreamEndpoint.faults::rest",
        "http_edge/decoding/message_fields.py::rest",
        "actors/systems/hotel/config.py::rest",
        "actors/systems/hotel/system.py::rest",
        "actors/systems/tweets/reply_text.py::ReplyText.__init__::rest",
        "actors/kernel/dead_letters.py::_printed::rest",
        "actors/kernel/exit.py::describe::rest",
        "actors/kernel/exit.py::traceback_of::rest",
    ),
    "a no of the operating system's, or damage that a look through whole files finds": (
        "actors/store/files/sqlite_file.py::rest",
        "actors/store/files/integrity.py::rest",
        "actors/store/files/wal_limit.py::rest",
        "actors/store/files/manifest.py::rest",
        "actors/store/files/snapshot.py::rest",
        "actors/store/files/loss_acceptance.py::accept_loss::rest",
        "actors/store/files/backup.py::write_backup::rest",
        "actors/store/files/backup.py::restore_backup::rest",
        "actors/store/files/backup.py::_copy_all::rest",
        "actors/store/files/data_folder.py::DataFolder._forget_acceptance::rest",
        "actors/store/files/data_folder.py::DataFolder._write::rest",
        "actors/store/files/directory_lock.py::DirectoryLock.check::rest",
        "actors/store/files/directory_lock.py::DirectoryLock._open::rest",
        "actors/store/files/directory_lock.py::DirectoryLock._write::rest",
        "actors/store/files/directory_lock.py::DirectoryLock._unusable",
        "actors/store/files/directory_lock.py::DirectoryLock.acquire::rest",
        "actors/store/files/file_watch.py::FileWatch.check::rest",
        "actors/store/files/file_watch.py::FileWatch._read_generation::rest",
        "actors/store/epoch.py::Epoch._commit::rest",
        "actors/store/epoch.py::Epoch.move_on::rest",
        "actors/store/epoch.py::Epoch._roll_back",
        "actors/store/group_commit.py::GroupCommit.retire::rest",
        "actors/store/group_commit.py::GroupCommit._undo::rest",
        "actors/store/inline_store.py::InlineStore.has_room",
        "actors/store/inline_store.py::InlineStore.close::rest",
        "actors/store/opening.py::open_for_writing::rest",
        "actors/store/opening.py::open_degraded::rest",
        "actors/service/service_host.py::ServiceHost._check::rest",
        "http_edge/secret_file.py::rest",
        "http_edge/edge.py::Edge.start::rest",
    ),
    "what a command does, such as check-upgrade, or a server, with its lock and its log": (
        "actors/store/files/directory_lock.py::DirectoryLock.note_address",
        "actors/store/files/directory_lock.py::DirectoryLock.release::rest",
        "actors/store/files/directory_lock.py::DirectoryLock.__enter__::rest",
        "actors/store/files/directory_lock.py::address_of_holder",
        "actors/store/files/directory_lock.py::_named::rest",
        "actors/store/files/directory_lock.py::_is_alive::rest",
        "actors/store/messaging/stored_rows.py::rest",
        "actors/kernel/lifecycle_log.py::rest",
        "actors/kernel/clock.py::rest",
        "http_edge/gateway.py::Gateway._log",
        "http_edge/admin_token.py::rest",
        "actors/systems/x_platform/api/embedded_credentials.py::rest",
    ),
    "X itself: its keys, its address, and whose data this is": (
        "actors/systems/tweets/outside.py::rest",
        "actors/systems/tweets/x/credentials.py::rest",
        "actors/systems/tweets/x/access.py::rest",
        "actors/systems/tweets/x/session.py::_NoHeaders.filter",
    ),
    "an actor as no service is made: without batches, with another overflow, ended for good": (
        "actors/kernel/mailbox.py::Mailbox.offer::rest",
        "actors/kernel/mailbox.py::Mailbox.get",
        "actors/kernel/mailbox.py::Mailbox.admit_waiting::rest",
        "actors/kernel/lane_server.py::LaneServer._serve_each::rest",
        "actors/kernel/lane_server.py::LaneServer.give_back::rest",
        "actors/kernel/ref.py::ActorRef.send",
        "actors/kernel/ref.py::ActorRef.stop",
        "actors/kernel/ref.py::ActorRef.kill",
        "actors/kernel/ref.py::ActorRef.suspend",
        "actors/kernel/ref.py::ActorRef.resume",
        "actors/kernel/ref.py::ActorRef.stats",
        "actors/kernel/actor.py::AsyncioActor._stop_in_order",
        "actors/kernel/actor.py::AsyncioActor.stay_down",
        "actors/kernel/actor.py::AsyncioActor.on_signal::rest",
        "actors/kernel/actor.py::AsyncioActor._start_actor_loop",
        "actors/kernel/supervision/supervisor.py::Supervisor._remove",
        "actors/kernel/supervision/supervisor.py::Supervisor._without_temporary::rest",
        "actors/kernel/supervision/supervisor.py::Supervisor._on_exit::rest",
        "actors/kernel/owned_tasks.py::rest",
    ),
    "types alone, which nobody imports to run": ("http_edge/served_system.py",),
}


def lines_of(root: Path, place: str) -> set[int]:
    """Return the lines of a place, those of a function without its head. Raises ValueError."""
    path, *within = place.removesuffix(f"::{REST}").split("::")
    tree, length = _parsed(root / path)
    if not within:
        return set(range(1, length + 1))
    found: ast.AST = tree
    for name in within[0].split("."):
        named = [each for each in _scopes(found) if each.name == name]
        if len(named) != 1:
            raise ValueError(f"{place}: there are {len(named)} of these")
        found = named[0]
    assert isinstance(found, Scope)
    return set(_within(found))


def _within(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[int]:
    if isinstance(scope, ast.ClassDef):
        for each in _scopes(scope):
            yield from _within(each)
    else:
        yield from range(scope.body[0].lineno, (scope.end_lineno or 0) + 1)


def _scopes(node: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Return the functions and classes right below it."""
    found: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
    for each in ast.iter_child_nodes(node):
        if isinstance(each, Scope):
            found.append(each)
        else:
            found += _scopes(each)
    return found


@cache
def _parsed(path: Path) -> tuple[ast.Module, int]:
    text = path.read_text(encoding="utf-8")
    return ast.parse(text), len(text.splitlines())
