/**
 * The manager of systemd: transient units, made, changed and stopped over D-Bus (`man 5 org.freedesktop.systemd1`).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { Connection, DBusError } from "./connection.ts";
import type { Property, Value, Variant } from "./value.ts";

const NAME = "org.freedesktop.systemd1";
const PATH = "/org/freedesktop/systemd1";
const MANAGER = `${NAME}.Manager`;

/** Where systemd listens itself, for root alone and without a bus. */
const PRIVATE = "/run/systemd/private";
const BUS = "/run/dbus/system_bus_socket";

/** The manager of the system's units. */
export class Manager implements Disposable {
  readonly #connection: Connection;
  readonly #destination: { readonly destination?: string };
  /** The number of systemd's version: 252. */
  readonly version: number;
  /** The cgroup that all of its units are below: "" is the root of each hierarchy. */
  readonly controlGroup: string;

  private constructor(connection: Connection, destination: string | undefined, version: string, controlGroup: string) {
    this.#connection = connection;
    this.#destination = destination === undefined ? {} : { destination };
    this.version = Number(/\d+/.exec(version)?.[0] ?? 0);
    this.controlGroup = controlGroup.replace(/\/+$/, "");
  }

  /**
   * Connects to it: by the bus of DBUS_SYSTEM_BUS_ADDRESS, directly, or by the usual bus, where only that is reached.
   *
   * @throws PaddockError where it cannot be reached.
   */
  static async open(): Promise<Manager> {
    const reasons: string[] = [];
    for (const { path, destination } of listSockets()) {
      try {
        return await Manager.#openAt(path, destination);
      } catch (error) {
        reasons.push(`${path}: ${(error as Error).message}`);
      }
    }
    throw new PaddockError(`systemd is not reached, which is to make the cgroups: ${reasons.join("; ")}`, {
      hint: "go on with --cgroup-manager cgroupfs; an engine has a setting of that name",
    });
  }

  static async #openAt(path: string, destination: string | undefined): Promise<Manager> {
    const connection = await Connection.open(path);
    try {
      if (destination !== undefined) await listenOnBus(connection);
      const get = async (name: string): Promise<string> => {
        const [variant] = await connection.call({
          ...(destination === undefined ? {} : { destination }),
          path: PATH,
          interface: "org.freedesktop.DBus.Properties",
          member: "Get",
          signature: "ss",
          body: [MANAGER, name],
        });
        return String((variant as Variant).value);
      };
      return new Manager(connection, destination, await get("Version"), await get("ControlGroup"));
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Makes a unit and waits until it is there. One of that name that has failed is forgotten first.
   *
   * @throws PaddockError in systemd's own words.
   */
  async startTransient(unit: string, properties: readonly Property[]): Promise<void> {
    const start = async (): Promise<void> => {
      const job = await this.#call("StartTransientUnit", "ssa(sv)a(sa(sv))", [unit, "replace", pack(properties), []]);
      const result = await this.#awaitJob(job);
      if (result !== "done") throw new DBusError("", `its start ended as '${result}'`);
    };
    try {
      await start().catch(async (error) => {
        if (!isError(error, "UnitExists")) throw error;
        await this.resetFailed(unit);
        await start();
      });
    } catch (error) {
      if (isError(error, "UnitExists")) {
        throw new PaddockError(`systemd has a unit ${unit} already`, { hint: `see: systemctl status ${unit}` });
      }
      await this.resetFailed(unit);
      throw new PaddockError(`systemd cannot make the unit ${unit}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Stops a unit, waits until it is gone, and forgets that it has failed; one that is not there is fine. */
  async stop(unit: string): Promise<void> {
    try {
      await this.#awaitJob(await this.#call("StopUnit", "ss", [unit, "replace"]));
    } catch (error) {
      if (!isError(error, "NoSuchUnit")) {
        throw new PaddockError(`systemd cannot stop the unit ${unit}: ${(error as Error).message}`, { cause: error });
      }
    }
    await this.resetFailed(unit);
  }

  /**
   * Changes properties of a unit until it ends.
   *
   * @throws PaddockError in systemd's own words.
   */
  async setProperties(unit: string, properties: readonly Property[]): Promise<void> {
    if (properties.length === 0) return;
    try {
      await this.#call("SetUnitProperties", "sba(sv)", [unit, true, pack(properties)]);
    } catch (error) {
      throw new PaddockError(`systemd cannot change the unit ${unit}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Lets systemd forget a unit that has failed; one that has not, or is not there, stays as it is. */
  async resetFailed(unit: string): Promise<void> {
    await this.#call("ResetFailedUnit", "s", [unit]).catch((error) => {
      if (!(error instanceof DBusError)) throw error;
    });
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  async #call(member: string, signature: string, body: readonly Value[]): Promise<Value | undefined> {
    const call = { ...this.#destination, path: PATH, interface: MANAGER, member, signature, body };
    return (await this.#connection.call(call))[0];
  }

  /** `JobRemoved(u id, o job, s unit, s result)`. */
  async #awaitJob(job: Value | undefined): Promise<string> {
    const { body } = await this.#connection.signal(({ member, body }) => member === "JobRemoved" && body[1] === job);
    return String(body[3]);
  }
}

/** The bus passes on only what is asked for, and systemd tells it only what somebody has subscribed to. */
async function listenOnBus(connection: Connection): Promise<void> {
  const bus = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
  await connection.call({ ...bus, member: "Hello" });
  const rule = `type='signal',sender='${NAME}',interface='${MANAGER}',member='JobRemoved'`;
  await connection.call({ ...bus, member: "AddMatch", signature: "s", body: [rule] });
  await connection.call({ destination: NAME, path: PATH, interface: MANAGER, member: "Subscribe" });
}

/** Where it may be reached; a bus passes on to a destination. An address is one such as `unix:path=/run/bus`. */
function listSockets(): { readonly path: string; readonly destination?: string }[] {
  const address = Deno.env.get("DBUS_SYSTEM_BUS_ADDRESS") ?? "";
  const chosen = [...address.matchAll(/(?:^|;)unix:path=([^,;]+)/g)].map(([, path]) => path!);
  return [
    ...chosen.map((path) => ({ path, destination: NAME })),
    { path: PRIVATE },
    { path: BUS, destination: NAME },
  ];
}

function pack(properties: readonly Property[]): Value[] {
  return properties.map(({ name, signature, value }) => [name, { signature, value }]);
}

function isError(error: unknown, kind: string): boolean {
  return error instanceof DBusError && error.name === `${NAME}.${kind}`;
}
