/**
 * Where what monitors see of our servers differs from Apache's on purpose, and why. A line begins with
 * `- ` when only Apache's has it, with `+ ` when only ours has.
 */
interface Difference {
  /** Words and commands that show it. */
  readonly asked: RegExp;
  readonly line: RegExp;
  readonly why: string;
}

export const differences: readonly Difference[] = [
  {
    asked: /^(mntr|monitor)$/,
    line: /^\+ (zk_|\.)peer_\d/,
    why: 'who hears whom, on which port and since when: Apache has nothing of the kind',
  },
  {
    asked: /^(mntr|monitor)$/,
    line: /_zookeeper_write_per_namespace/,
    why: 'Apache counts what it writes below /zookeeper when it starts',
  },
  {
    asked: /^(mntr|monitor)$/,
    line: /_\d_ack_latency/,
    why: 'Apache times an acknowledgement only if the proposal is not committed without it',
  },
  {
    asked: /^monitor$/,
    line: /^[-+] (status (200|500)$|text$|\.(command|error): string$)/,
    why: 'without a role Apache fails with a page about a NullPointerException',
  },
  {
    asked: /^dump$/,
    line: /^- \.expiry_time_to_session_ids\.N\[\]$|^[-+] N expire at TIME:$/,
    why: 'Apache keeps times at which no session expires any more',
  },
  {
    asked: /^initial_configuration$/,
    line: /^[-+] \.initial_configuration: (string|null)$/,
    why: 'Apache forgets the text of its configuration in an ensemble; here it is shown',
  },
  {
    asked: /^system_properties$/,
    line: /^- \.(file|java|jdk|jetty|line|native|path|sun|user)\.|^- \.zookeeper\.server\.\d/,
    why: "Java's own properties; and keys that Apache takes for properties are no properties here",
  },
  {
    asked: /^system_properties$/,
    line: /^\+ \.zookeeper\.readonlymode/,
    why: 'a setting that is given as -D is shown under its name in zoo.cfg, too',
  },
  {
    asked: /^system_properties$/,
    line: /^\+ \.os\.memory\./,
    why: 'what envi shows of the memory is shown here, too',
  },
];

export function isDeliberate(asked: string, line: string): boolean {
  return differences.some((one) => one.asked.test(asked) && one.line.test(line));
}

/** Counted by Apache and not here. */
export const uncounted: readonly { readonly key: RegExp; readonly why: string }[] = [
  {
    key: /^zk_cnt_(session_queues_drained|(pending|requests_in)_session_queue(_size)?|reads_(issued_from|after_write_in)_session_queue)$/,
    why: 'requests of a session are not handed from queue to queue between threads',
  },
  {
    key: /^zk_cnt_((write|read)_commit_proc_req_queued|read_commit_proc_issued|time_waiting_empty_pool_in_commit_processor_read_ms|concurrent_request_processing_in_commit_processor)$/,
    why: 'there is no pool of threads that requests wait for',
  },
  {
    key: /^zk_cnt_(read_commitproc|read_final_proc|local_write_committed|request_throttle_queue)_time_ms$/,
    why: 'a request is dealt with where it is read: there are no steps to measure apart',
  },
  {
    key: /^zk_(cnt_proposal_process_time|requests_not_forwarded_to_commit_processor)$/,
    why: 'a prepared request is in the batch: it is not handed on',
  },
  { key: /^zk_response_packet_(get_children_)?cache_/, why: 'replies are not cached' },
  {
    key: /^zk_cnt_(startup_snap_load_time|snapshottime|startup_txns_load_time)$/,
    why: 'recovery is measured as a whole; a snapshot that a leader sends is not taken again',
  },
  {
    key: /^zk_(snap_count|cnt_inflight_snap_count)$/,
    why: 'an empty server is sent all of the history, where the leader still has that',
  },
  {
    key: /^zk_cnt_om_proposal_process_time_ms$/,
    why: 'a follower keeps nothing for its observers before it is committed',
  },
  { key: /^zk_cnt_socket_closing_time$/, why: 'closing a socket does not wait' },
];

export function leftUncounted(key: string): boolean {
  return uncounted.some((one) => one.key.test(key));
}
