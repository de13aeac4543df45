"""Each act of the log's closed list, and a test in which it is really written.

`gateway.flow.deeds` says what the log knows; this says that none of it is a promise only. The test
named beside an act fails where its run did not write the act's line (`fixtures.on_record`), and
`tests/architecture/test_deeds.py` holds the two lists to each other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy.orm import Session

from recordings import audit
from recordings.lines import Noted

_GATEWAY, _CONSOLE, _CLI = "tests/unit/gateway", "tests/unit/console", "tests/unit/cli"
_KEYS, _MONTH = f"{_CLI}/test_custody.py", "test_a_month_from_plan_to_certificate"
_HEARD = f"{_GATEWAY}/test_listening.py::test_a_grant_opens_and_every_step_is_in_the_log"
_TAKEN = f"{_CONSOLE}/test_exports.py::test_the_recipient_opens_it_and_nobody_else"
_ASKED = f"{_GATEWAY}/test_control.py::test_what_is_asked_is_on_record_before_the_pbx_hears_of_it"
_SILENT = f"{_GATEWAY}/test_control.py::test_the_silence_is_who_why_from_when_to_when"
_TOKEN = f"{_CONSOLE}/test_guard.py::test_a_form_without_our_token_is_refused"
_HELD = f"{_GATEWAY}/test_keeping.py::test_what_keeps_a_recording"
_GONE = f"{_GATEWAY}/test_keeping.py::{_MONTH}"
_PROOF = f"{_CLI}/test_audit.py::test_a_proof_an_export_and_what_joins_two_checkpoints"
_RECUSED = f"{_GATEWAY}/test_recusal.py"
_PROGRAM = "test_a_programs_key_is_told_once_listed_and_revoked"
_FETCHED = "test_a_file_reaches_its_department_and_no_other"
_ALSO = f"{_CLI}/test_on_record.py"

WITNESSES: dict[str, str] = {
    "people:session:open": f"{_CONSOLE}/test_guard.py::test_signing_in_and_out",
    "people:session:close": f"{_CONSOLE}/test_guard.py::test_signing_in_and_out",
    "people:account:add": f"{_CLI}/test_keeping.py::test_a_closed_account_is_out_at_once",
    "people:account:close": f"{_CLI}/test_keeping.py::test_a_closed_account_is_out_at_once",
    "people:account:password": f"{_CLI}/test_keeping.py::test_a_new_password_replaces_the_old",
    "people:account:phone": f"{_ALSO}::test_another_phone",
    "people:account:lock": f"{_CONSOLE}/test_locked.py::test_at_the_page",
    "people:department:add": f"{_CLI}/test_keeping.py::test_a_department_is_added_once",
    "recordings:request:ask": _HEARD,
    "recordings:request:decide": _HEARD,
    "recordings:player:open":
        f"{_GATEWAY}/test_listening.py::test_everyone_else_is_refused_and_that_is_in_the_log",
    "recordings:play:begin": _HEARD,
    "recordings:recording:play": _HEARD,
    "recordings:recording:outline": f"{_CONSOLE}/test_player.py::test_the_waveform",
    "recordings:recording:heard": f"{_CONSOLE}/test_player.py::test_the_whole",
    "recordings:recording:search":
        f"{_GATEWAY}/test_listening.py::test_a_search_is_in_the_log_without_the_digits",
    "recordings:export:make": _TAKEN,
    "recordings:export:fetch": _TAKEN,
    "recordings:glass:break": f"{_GATEWAY}/test_glass.py::test_at_once_and_both_are_told",
    "recordings:grant:end":
        f"{_GATEWAY}/test_listening.py::test_plays_are_counted_and_a_yes_can_be_ended",
    "recordings:recording:compare": f"{_CLI}/test_archive.py::test_scrub_and_verify",
    "recordings:backup:make": f"{_CLI}/test_archive.py::test_a_backup_and_its_drill",
    "recordings:backup:drill": f"{_CLI}/test_archive.py::test_a_backup_and_its_drill",
    "recordings:backup:restore": f"{_CLI}/test_restore.py::test_a_store_that_died_is_put_back",
    "recordings:page:open": f"{_CONSOLE}/test_guard.py::test_knocking_does_not_fill_the_log",
    "recordings:recording:seal": _GONE,
    "recordings:recording:rewrap": _GONE,
    "tickets:recusal:name": f"{_RECUSED}::test_the_agents_of_the_call_complained_of",
    "tickets:recusal:lift": f"{_RECUSED}::test_lifting_is_for_others",
    "tickets:ticket:join": f"{_RECUSED}::test_a_ticket_joined_later_bites_in_mid_play",
    "tickets:ticket:handle":
        f"{_CONSOLE}/test_recused.py::test_handling_a_matter_about_oneself_is_on_record",
    "tickets:page:open": f"{_TOKEN}[/tickets/{{ticket_id}}/join]",
    "retention:page:open": f"{_TOKEN}[/retention/holds]",
    "retention:hold:place": _HELD,
    "retention:hold:lift": _HELD,
    "retention:plan:propose": _GONE,
    "retention:plan:stand": _GONE,
    "retention:plan:void": f"{_ALSO}::test_a_plan_that_came_to_nothing",
    "retention:plan:ask": _GONE,
    "retention:plan:confirm": _GONE,
    "retention:key:begin": _GONE,
    "retention:key:destroy": _GONE,
    "retention:recording:destroy": _GONE,
    "retention:plan:certify": _GONE,
    "keys:pair:make": _GONE,
    "keys:pair:check": f"{_KEYS}::test_a_swapped_public_half_alarms_within_a_round",
    "keys:export:ask": f"{_KEYS}::test_an_exported_key_opens_only_with_both",
    "keys:destroy:ask": f"{_KEYS}::test_a_key_is_destroyed_by_two",
    "keys:act:confirm": f"{_KEYS}::test_an_exported_key_opens_only_with_both",
    "keys:key:export": f"{_KEYS}::test_an_exported_key_opens_only_with_both",
    "keys:key:destroy": f"{_KEYS}::test_a_key_is_destroyed_by_two",
    "keys:key:destroyed": f"{_KEYS}::test_a_key_is_destroyed_by_two",
    "keys:keyring:enclose": f"{_CLI}/test_keys_on_record.py::test_plain_keys_moved_are_on_record",
    "keys:keyring:passphrase": f"{_CLI}/test_keys_on_record.py::test_a_new_passphrase_is_on_record",
    "keys:copy:attest": f"{_KEYS}::test_a_copy_is_accounted_for_by_two",
    "control:call:place": _ASKED,
    "control:recording:pause": _SILENT,
    "control:recording:resume": _SILENT,
    "control:agent:pause": _ASKED,
    "control:agent:ready":
        f"{_GATEWAY}/test_control.py::test_a_wrap_up_counts_from_the_end_of_the_call",
    "control:page:open": f"{_TOKEN}[/desk/pause]",
    "log:log:read": "tests/unit/api/test_permissions.py::"
                    "test_reading_and_checking_the_log_is_in_the_log",
    "log:log:verify": f"{_CONSOLE}/test_pages.py::test_the_log_shows_that_it_was_altered",
    "log:log:export": _PROOF,
    "log:log:restart": "tests/integration/test_checkpoints.py::"
                       "test_after_a_restore_the_log_goes_on_under_another_name",
    "log:line:prove": _PROOF,
    "log:checkpoint:sign": f"{_ALSO}::test_a_checkpoint_on_demand",
    "log:alert:clear":
        "tests/unit/gateway/test_backlog.py"
        "::test_it_is_told_after_a_minute_and_cleared_when_it_is_gone",
    "log:alert:see":
        f"{_CONSOLE}/test_alerts.py::test_an_alert_stands_until_its_role_has_seen_it",
    "log:checkpoint:refuse": "tests/integration/test_checkpoints.py::"
                             "test_a_witness_finds_what_all_here_forgot",
    "api:request:refuse": "tests/unit/api/test_permissions.py::test_a_refusal_is_in_the_log",
    "people:department:credentials":
        f"{_CLI}/test_departments.py::test_a_department_gets_an_account_of_its_own",
    "people:department:mode": f"{_CLI}/test_departments.py::test_a_department_changes_its_way",
    "people:key:make": f"{_CLI}/test_departments.py::{_PROGRAM}",
    "people:key:revoke": f"{_CLI}/test_departments.py::{_PROGRAM}",
    "queueing:attachment:fetch": f"tests/unit/api/test_files.py::{_FETCHED}",
    "queueing:department:test": f"{_ALSO}::test_a_test_message",
    "queueing:message:discard":
        "tests/unit/console/test_parked.py::test_one_is_discarded_with_a_reason",
    "queueing:message:replay": f"{_ALSO}::test_a_parked_message_sent_again",
    "gateway:process:start": f"{_ALSO}::test_a_process_that_starts",
    "gateway:database:upgrade":
        f"{_CLI}/test_keeping.py::test_upgrade_twice_and_of_a_newer_database",
}  # fmt: skip


def owed(node: str) -> set[str]:
    """The acts that this test is to write; `node` is its id, with its parameters."""
    plain = node.partition("[")[0]
    return {act for act, where in WITNESSES.items() if where in (node, plain)}


@contextmanager
def written() -> Iterator[set[str]]:
    """The acts whose lines are written meanwhile in this process, as they come."""
    seen = set[str]()
    write = audit._write

    def spying(session: Session, noted: Sequence[Noted]) -> range:
        seen.update(one.action for one in noted)
        return write(session, noted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "_write", spying)
        yield seen
