/**
 * The few calls that pycri makes to a systemd manager over D-Bus (org.freedesktop.systemd1(5)). The only user of the D-Bus
 * library, which is loaded with this file.
 */
import { on, once, type EventEmitter } from "node:events";
import { Message, sessionBus, Variant, type DBusError, type MessageBus } from "@jellybrick/dbus-next";
import { RuntimeError } from "../errors.ts";
import type { UnitProperty } from "./scope-properties.ts";

const DESTINATION = "org.freedesktop.systemd1";
const PATH = "/org/freedesktop/systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";

/** How long the manager may take for a job, in milliseconds. */
const JOB_TIMEOUT = 30_000;

/** A connection to a bus on which a systemd manager listens; ends with `using`. */
export class SystemdBus implements Disposable {
  readonly #bus: MessageBus;
  readonly #address: string;
  /** Rejects when the connection breaks; what waits for an answer races it. */
  readonly #broken: Promise<never>;

  /** `address`: in D-Bus's form, `unix:path=/run/user/1000/bus`. */
  constructor(address: string) {
    this.#address = address;
    this.#bus = sessionBus({ busAddress: address });
    // The library emits "error", which its types leave out.
    this.#broken = once(this.#bus as EventEmitter, "error").then(([cause]: unknown[]) => {
      const { message } = cause as Error;
      throw new RuntimeError("LIMIT_UNSUPPORTED", `Cannot reach systemd at "${address}": ${message}`, { cause });
    });
    // Nobody may be waiting when the connection breaks.
    this.#broken.catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#bus.disconnect();
  }

  /**
   * Start a transient unit and wait for the job. RuntimeError LIMIT_UNSUPPORTED when systemd refuses or the job fails; nothing is
   * left of the unit then.
   */
  async startTransientUnit(name: string, properties: readonly UnitProperty[]): Promise<void> {
    // Before the call, so that a job that is done at once is not missed.
    const rule = `type='signal',sender='${DESTINATION}',path='${PATH}',interface='${MANAGER}',member='JobRemoved'`;
    await this.#call({
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
      member: "AddMatch",
      signature: "s",
      body: [rule],
    });
    const messages = on(this.#bus, "message", { signal: AbortSignal.timeout(JOB_TIMEOUT) });
    await this.#manager("StartTransientUnit", "ssa(sv)a(sa(sv))", [name, "fail", encode(properties), []]);
    const result = await jobResult(messages, name);
    if (result === "done") return;
    await this.discard(name);
    throw new RuntimeError("LIMIT_UNSUPPORTED", `Cannot start unit "${name}": systemd says "${result}"`, {
      hint: `journalctl --user -u ${name} tells why`,
    });
  }

  /** Change properties of a unit until it ends. */
  async setUnitProperties(name: string, properties: readonly UnitProperty[]): Promise<void> {
    await this.#manager("SetUnitProperties", "sba(sv)", [name, true, encode(properties)]);
  }

  /** Stop a unit, whatever state it is in, and let systemd forget it. */
  async discard(name: string): Promise<void> {
    for (const [member, signature, body] of [
      ["StopUnit", "ss", [name, "replace"]],
      ["ResetFailedUnit", "s", [name]],
    ] as const) {
      try {
        await this.#manager(member, signature, [...body]);
      } catch {
        // Gone already is what is wanted, and the failure that led here is the one to report.
        continue;
      }
    }
  }

  #manager(member: string, signature: string, body: unknown[]): Promise<Message | null> {
    return this.#call({ destination: DESTINATION, path: PATH, interface: MANAGER, member, signature, body });
  }

  async #call(message: ConstructorParameters<typeof Message>[0]): Promise<Message | null> {
    try {
      return await Promise.race([this.#bus.call(new Message(message)), this.#broken]);
    } catch (cause) {
      if (cause instanceof RuntimeError) throw cause;
      const { type, text, message: reason } = cause as DBusError;
      throw new RuntimeError(
        "LIMIT_UNSUPPORTED",
        `systemd at "${this.#address}" refuses ${message.member}: ${text ?? reason}`,
        {
          cause,
          details: { error: type },
        },
      );
    }
  }
}

function encode(properties: readonly UnitProperty[]): [string, Variant][] {
  return properties.map(({ name, signature, value }) => [name, new Variant(signature, value)]);
}

/** The result of the first job for `unit` that ends; "timeout" when none does, "connection lost" when nobody can tell. */
async function jobResult(messages: AsyncIterable<unknown[]>, unit: string): Promise<string> {
  try {
    for await (const [message] of messages) {
      const { member, body } = message as Message;
      if (member === "JobRemoved" && body[2] === unit) return String(body[3]);
    }
  } catch (error) {
    if ((error as Error).name === "AbortError") return "timeout";
  }
  return "connection lost";
}
