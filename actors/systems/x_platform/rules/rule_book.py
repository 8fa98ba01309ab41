"""The rules of the filtered stream: added, deleted, listed, and matched against each new tweet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from actors.systems.x_platform import snowflake
from actors.systems.x_platform.messages import (
    AddRules,
    DeleteRules,
    ListRules,
    NewRule,
    Rules,
    RulesAdded,
    RulesDeleted,
    RuleTrouble,
    XRule,
)
from actors.systems.x_platform.platform_state import change_rules, read_state
from actors.systems.x_platform.rules.rule_lexer import InvalidRule
from actors.systems.x_platform.rules.rule_parser import parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.store.transaction import ReadTransaction, Transaction
    from actors.systems.x_platform.rules.rule import Test
    from actors.systems.x_platform.rules.subject import Subject

log = structlog.get_logger()

STANDING = "SELECT id, value, tag FROM rule WHERE deleted_us IS NULL ORDER BY id"
BY_IDS = "SELECT id, value, tag FROM rule WHERE id IN (SELECT value FROM json_each(?))"
INSERT = "INSERT INTO rule (id, value, tag) VALUES (?, ?, ?)"
DELETE = "UPDATE rule SET deleted_us = ? WHERE id = ?"
FORGET = "DELETE FROM rule WHERE deleted_us < ?"
# By a clock that was ahead: else they would be kept until then.
DATE_ANEW = "UPDATE rule SET deleted_us = ? WHERE deleted_us > ?"

TOO_MANY = "You have exceeded the maximum number of rules: {} for a project"
TOO_LONG = "Rules must be no longer than {} characters (at position {})"


class RuleBook:
    """Knows the standing rules by their table, and keeps their tests for one incarnation."""

    def __init__(self, *, rules_max: int, rule_chars_max: int) -> None:
        """Nothing is read yet."""
        self._rules_max = rules_max
        self._rule_chars_max = rule_chars_max
        self._compiled: list[tuple[int, Test]] = []
        self._version = -1

    def matching(self, tx: Transaction, version: int, subject: Subject) -> list[int]:
        """Return the ids of the rules that the tweet matches, ascending.

        `version` is the transaction's: what was compiled in one that was rolled back has another,
        or has been given up by the change that came after it.
        """
        if version != self._version:
            self._compile(tx)
            self._version = version
        return [number for number, test in self._compiled if test(subject)]

    def add(self, tx: Transaction, cmd: AddRules) -> RulesAdded:
        """Add what can be added; the rest is reported, each with its reason."""
        standing = {row["value"]: str(row["id"]) for row in tx.all(STANDING)}
        number = read_state(tx).last_id
        created: list[XRule] = []
        troubles: list[RuleTrouble] = []
        for new in cmd.rules:
            trouble = self._trouble(new, standing)
            if trouble is not None:
                troubles.append(trouble)
                continue
            number = snowflake.next_after(number, tx.now_us)
            rule = XRule(id=str(number), value=new.value, tag=new.tag)
            standing[rule.value] = rule.id
            created.append(rule)
        if created and not cmd.dry_run:
            for rule in created:
                tx.execute(INSERT, int(rule.id), rule.value, rule.tag)
            self._changed(tx, last_id=number)
        return RulesAdded(created=tuple(created), troubles=tuple(troubles))

    def delete(self, tx: Transaction, cmd: DeleteRules) -> RulesDeleted:
        """Delete by id and by value."""
        rows = tx.all(STANDING)
        ids = {str(row["id"]) for row in rows}
        by_value = {row["value"]: str(row["id"]) for row in rows}
        gone: dict[str, None] = {each: None for each in cmd.ids if each in ids}
        if cmd.all:
            gone = dict.fromkeys(ids)
        gone.update({by_value[each]: None for each in cmd.values if each in by_value})
        unknown = [each for each in cmd.ids if each not in ids]
        unknown += [each for each in cmd.values if each not in by_value]
        if gone and not cmd.dry_run:
            for each in gone:
                tx.execute(DELETE, tx.now_us, int(each))
            self._changed(tx)
        return RulesDeleted(deleted=tuple(gone), unknown=tuple(dict.fromkeys(unknown)))

    def forget(self, tx: Transaction, *, before_us: int) -> None:
        """Forget the rules that were deleted before then."""
        tx.execute(DATE_ANEW, tx.now_us, tx.now_us)
        tx.execute(FORGET, before_us)

    def _trouble(self, new: NewRule, standing: dict[str, str]) -> RuleTrouble | None:
        if len(new.value) > self._rule_chars_max:
            detail = TOO_LONG.format(self._rule_chars_max, self._rule_chars_max + 1)
            return RuleTrouble(fault="too_long", value=new.value, details=(detail,))
        if new.value in standing:
            return RuleTrouble(
                fault="duplicate", value=new.value, details=(), rule_id=standing[new.value]
            )
        try:
            parse_rule(new.value)
        except InvalidRule as error:
            return RuleTrouble(fault="invalid", value=new.value, details=error.details)
        if len(standing) >= self._rules_max:
            detail = TOO_MANY.format(self._rules_max)
            return RuleTrouble(fault="too_many", value=new.value, details=(detail,))
        return None

    def _changed(self, tx: Transaction, *, last_id: int = 0) -> None:
        change_rules(tx, last_id=last_id)
        self._version = -1

    def _compile(self, tx: Transaction) -> None:
        self._compiled = []
        for row in tx.all(STANDING):
            try:
                self._compiled.append((row["id"], parse_rule(row["value"])))
            except InvalidRule as error:  # an earlier program's language may have been another
                log.warning("rule that is none any more", rule=row["value"], details=error.details)


def list_rules(tx: ReadTransaction, question: ListRules) -> Rules:
    """List the standing rules, in the order of their making; of the `ids` if there are any."""
    rows = tx.all(STANDING)
    rules = [XRule(id=str(row["id"]), value=row["value"], tag=row["tag"]) for row in rows]
    wanted = set(question.ids)
    return Rules(rules=tuple([each for each in rules if not wanted or each.id in wanted]))


def find_rules(tx: ReadTransaction, numbers: Iterable[int]) -> dict[int, XRule]:
    """Return rules by id, deleted ones too while they are remembered."""
    rows = tx.all(BY_IDS, msgspec.json.encode(sorted(set(numbers))).decode())
    return {row["id"]: XRule(id=str(row["id"]), value=row["value"], tag=row["tag"]) for row in rows}
