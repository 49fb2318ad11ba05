/**
 * The calls that carry others: socketcall(2) and ipc(2), the only way to sockets and System V IPC on old 32-bit
 * architectures, and a second way beside the direct calls on most. A rule for `socket` must reach
 * `socketcall(SYS_SOCKET, …)`, or a filter is trivially walked around. Numbers: uapi linux/net.h and linux/ipc.h.
 */

export interface MultiplexedCall {
  readonly multiplexer: "socketcall" | "ipc";
  /** The multiplexer's first argument. */
  readonly selector: number;
}

const socketcalls =
  "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";

const ipcCalls: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};

/** By the name of the carried call. */
export const multiplexedCalls: ReadonlyMap<string, MultiplexedCall> = new Map<string, MultiplexedCall>([
  ...socketcalls.split(" ").map((name, index) => [name, { multiplexer: "socketcall", selector: index + 1 }] as const),
  ...Object.entries(ipcCalls).map(([name, selector]) => [name, { multiplexer: "ipc", selector }] as const),
]);

/**
 * The bits of the first argument that the kernel looks at: socketcall takes an int; ipc keeps a version in the upper
 * half of its int (`call & 0xffff` in ipc/syscall.c), so an equality test would be walked around by `ipc(0x10015, …)`.
 */
export const selectorMask: Readonly<Record<MultiplexedCall["multiplexer"], bigint>> = {
  socketcall: 0xffffffffn,
  ipc: 0xffffn,
};
