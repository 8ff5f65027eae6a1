#!/usr/bin/python3.11
"""The same attacks on an instance that no zygote made: its descriptors, ids and limits come another way."""
import sys

import lib
import test_escape as t

TESTS = [t.the_tool_box_works, t.every_system_call_gets_the_policy_s_verdict,
         t.a_foreign_abi_ends_the_process_and_own_machine_code_runs, t.no_call_makes_a_child_for_the_launcher,
         t.nothing_is_reachable_but_the_own_loopback, t.only_the_scratch_directories_can_be_written,
         t.four_descriptors_are_open_and_nothing_leaks, t.a_function_has_no_capability_and_cannot_gain_one,
         t.proc_shows_the_function_s_own_processes_only, t.nothing_tells_the_host_s_names_and_paths,
         t.cores_reach_nobody_and_descriptors_are_limited, t.no_process_but_the_own_can_be_signalled,
         t.functions_share_no_files_and_no_host_ids, t.a_full_tmp_is_ENOSPC_and_no_disk_of_the_host_s,
         t.processes_are_limited]

if __name__ == "__main__":
    sys.exit(lib.run(TESTS, config=f"pids_max = {t.PIDS_MAX};start_way = 2"))
