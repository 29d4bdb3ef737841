/**
 * The system-call filter of a sandbox, as a classic BPF program for `bwrap --add-seccomp-fd`. A list of what is refused, with a ceiling:
 * numbers above the last one that was judged do not exist for the sandbox, so that a newer kernel opens nothing by itself.
 */
export type Architecture = 'x64' | 'arm64';

const auditOf: Record<Architecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const column: Record<Architecture, 0 | 1> = { x64: 0, arm64: 1 };
const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;
export const verdict = {
  allow: 0x7fff0000,
  kill: 0x80000000,
  refuse: (code: keyof typeof errno): number => 0x00050000 | errno[code],
} as const;

/** Numbers on x86-64 and arm64; -1: it does not exist there. */
type Numbers = readonly [number, number];

/** Refused with EPERM: other namespaces and mounts, the kernel itself, its keys, its clock, other processes' memory, legacy. */
export const refused: Readonly<Record<string, Numbers>> = {
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  unshare: [272, 97],
  setns: [308, 268],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  reboot: [169, 142],
  syslog: [103, 116],
  acct: [163, 89],
  swapon: [167, 224],
  swapoff: [168, 225],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  vhangup: [153, 58],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  userfaultfd: [323, 282],
  fanotify_init: [300, 262],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  process_madvise: [440, 440],
  mbind: [237, 235],
  get_mempolicy: [239, 236],
  set_mempolicy: [238, 237],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  set_mempolicy_home_node: [450, 450],
  lsm_get_self_attr: [459, 459],
  lsm_set_self_attr: [460, 460],
  lsm_list_modules: [461, 461],
  iopl: [172, -1],
  ioperm: [173, -1],
  uselib: [134, -1],
  ustat: [136, -1],
  sysfs: [139, -1],
  _sysctl: [156, -1],
  create_module: [174, -1],
  get_kernel_syms: [177, -1],
  query_module: [178, -1],
  getpmsg: [181, -1],
  putpmsg: [182, -1],
  afs_syscall: [183, -1],
  tuxcall: [184, -1],
  security: [185, -1],
  vserver: [236, -1],
};

/** Refused as if the kernel did not know them: callers fall back (glibc to clone, libuv and bun from io_uring to threads). */
export const absent: Readonly<Record<string, Numbers>> = {
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
};

/** Judged by an argument. */
export const judged = {
  clone: [56, 220],
  ioctl: [16, 29],
  socket: [41, 198],
  socketpair: [53, 199],
  personality: [135, 92],
} as const satisfies Record<string, Numbers>;

/** removexattrat: the newest call that was looked at. Also cuts off x32, whose numbers carry bit 30. */
export const lastJudged = 466;
/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET */
const cloneNamespaces = 0x7e020000;
/** Keys pushed into another's terminal; the kernel compares the low word only. */
const ioctlRefused = [0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */];
const family = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
/** Linux, PER_LINUX32 and UNAME26 forms, ADDR_NO_RANDOMIZE (debuggers), and the query. */
const personalities = [0, 8, 0x20000, 0x20008, 0x40000, 0xffffffff];

interface Instruction {
  code: number;
  ifTrue: number;
  ifFalse: number;
  value: number;
}
const load = (offset: number): Instruction => ({
  code: 0x20,
  ifTrue: 0,
  ifFalse: 0,
  value: offset,
});
const give = (value: number): Instruction => ({ code: 0x06, ifTrue: 0, ifFalse: 0, value });
const jump =
  (code: number) =>
  (value: number, ifTrue: number, ifFalse: number): Instruction => ({
    code,
    ifTrue,
    ifFalse,
    value,
  });
const equals = jump(0x15);
const above = jump(0x25);
const hasBits = jump(0x45);
const offsetOf = {
  number: 0,
  architecture: 4,
  argument: (index: number) => 16 + 8 * index,
} as const;

/** `value` one of `values`: falls through to the instruction after `otherwise`; else gives `otherwise`. */
const mustBeOneOf = (values: readonly number[], otherwise: number): Instruction[] => [
  ...values.map((value, index) => equals(value, values.length - index, 0)),
  give(otherwise),
];
/** The body runs for this call only and must end it. */
const forCall = (number: number, body: readonly Instruction[]): Instruction[] => [
  equals(number, 0, body.length),
  ...body,
];

export function seccompInstructions(architecture: Architecture): Instruction[] {
  const at = column[architecture];
  const numbersOf = (table: Readonly<Record<string, Numbers>>): number[] =>
    Object.values(table)
      .map((numbers) => numbers[at])
      .filter((number) => number >= 0);
  const eperm = verdict.refuse('EPERM');
  const noFamily = verdict.refuse('EAFNOSUPPORT');
  const allow = give(verdict.allow);
  const deny = numbersOf(refused);
  return [
    load(offsetOf.architecture),
    equals(auditOf[architecture], 1, 0),
    give(verdict.kill),
    load(offsetOf.number),
    above(lastJudged, 0, 1),
    give(verdict.refuse('ENOSYS')),
    ...forCall(judged.clone[at], [
      load(offsetOf.argument(0)),
      hasBits(cloneNamespaces, 0, 1),
      give(eperm),
      allow,
    ]),
    ...forCall(judged.ioctl[at], [
      load(offsetOf.argument(1)),
      ...ioctlRefused.map((command, index) => equals(command, ioctlRefused.length - index, 0)),
      allow,
      give(eperm),
    ]),
    ...forCall(judged.socket[at], [
      load(offsetOf.argument(0)),
      ...mustBeOneOf(Object.values(family), noFamily),
      // Of netlink only the protocol that lists interfaces (0, ROUTE).
      equals(family.netlink, 0, 3),
      load(offsetOf.argument(2)),
      equals(0, 1, 0),
      give(noFamily),
      allow,
    ]),
    ...forCall(judged.socketpair[at], [
      load(offsetOf.argument(0)),
      ...mustBeOneOf([family.unix], noFamily),
      allow,
    ]),
    ...forCall(judged.personality[at], [
      load(offsetOf.argument(0)),
      ...mustBeOneOf(personalities, eperm),
      allow,
    ]),
    ...numbersOf(absent).flatMap((number) => forCall(number, [give(verdict.refuse('ENOSYS'))])),
    ...deny.map((number, index) => equals(number, deny.length - index, 0)),
    allow,
    give(eperm),
  ];
}

/** As the kernel reads it: 8 bytes an instruction. */
export function seccompProgram(architecture: Architecture): Buffer {
  const instructions = seccompInstructions(architecture);
  const program = Buffer.alloc(instructions.length * 8);
  for (const [index, { code, ifTrue, ifFalse, value }] of instructions.entries()) {
    program.writeUInt16LE(code, index * 8);
    program.writeUInt8(ifTrue, index * 8 + 2);
    program.writeUInt8(ifFalse, index * 8 + 3);
    program.writeUInt32LE(value >>> 0, index * 8 + 4);
  }
  return program;
}
