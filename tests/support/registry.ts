/**
 * Debian's docker-registry on this host, for one test.
 *
 * @module
 */
import { join } from "@std/path";
import { call } from "./paddock.ts";

/** What a registry asks of its clients. */
export interface RegistryOptions {
  /** Name and password; nobody else gets anything. */
  readonly login?: readonly [user: string, password: string];
  /** Certificate and key, and where given the authority that clients' certificates must be signed by. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientAuthority?: string };
  /** Name of the token server's issuer, its address, and the file of its certificate. */
  readonly token?: { readonly realm: string; readonly issuer: string; readonly bundle: string };
}

/** A running registry. */
export class Registry implements AsyncDisposable {
  private constructor(
    /** `127.0.0.1:PORT`. */
    readonly host: string,
    /** Where it keeps its blobs. */
    readonly storage: string,
    private readonly child: Deno.ChildProcess,
  ) {}

  /** Starts one, and waits until it answers. @param directory for its files. */
  static async start(directory: string, { login, tls, token }: RegistryOptions = {}): Promise<Registry> {
    Deno.mkdirSync(directory, { recursive: true });
    const host = `127.0.0.1:${freePort()}`;
    const storage = join(directory, "storage");
    const lines = [
      "version: 0.1",
      "log: {level: error, accesslog: {disabled: true}}",
      `storage: {filesystem: {rootdirectory: ${storage}}, delete: {enabled: true}}`,
      ...(login === undefined
        ? []
        : [`auth: {htpasswd: {realm: test, path: ${await hashLogin(directory, ...login)}}}`]),
      ...(token === undefined ? [] : [
        `auth: {token: {realm: "${token.realm}", service: test, issuer: ${token.issuer}, rootcertbundle: ${token.bundle}}}`,
      ]),
      `http: {addr: "${host}", secret: test${tls === undefined ? "" : `, tls: ${describeTls(tls)}`}}`,
    ];
    const config = join(directory, "config.yml");
    Deno.writeTextFileSync(config, lines.join("\n"));
    const child = new Deno.Command("docker-registry", { args: ["serve", config], stdout: "null", stderr: "null" })
      .spawn();
    const registry = new Registry(host, storage, child);
    await waitForPort(host);
    return registry;
  }

  /** Copies an image into it with skopeo. @param from as skopeo has it: `oci:DIRECTORY:TAG` */
  async fill(from: string, name: string, ...flags: readonly string[]): Promise<void> {
    const words = ["copy", "-q", "--dest-tls-verify=false", ...flags, from, `docker://${this.host}/${name}`];
    const { code, stderr } = await call(["skopeo", "--insecure-policy", ...words]);
    if (code !== 0) throw new Error(`skopeo: ${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.status;
  }
}

/** A port of 127.0.0.1 that nobody uses now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function waitForPort(host: string): Promise<void> {
  const [hostname = "", port] = host.split(":");
  for (let tries = 0; tries < 300; tries++) {
    try {
      (await Deno.connect({ hostname, port: Number(port) })).close();
      return;
    } catch {
      await new Promise((done) => setTimeout(done, 20));
    }
  }
  throw new Error(`no registry answers at ${host}`);
}

function describeTls({ cert, key, clientAuthority }: NonNullable<RegistryOptions["tls"]>): string {
  const clients = clientAuthority === undefined ? "" : `, clientcas: [${clientAuthority}]`;
  return `{certificate: ${cert}, key: ${key}${clients}}`;
}

/** A file as htpasswd writes it; the registry takes bcrypt alone, which libc's crypt knows. */
async function hashLogin(directory: string, user: string, password: string): Promise<string> {
  const path = join(directory, "htpasswd");
  const { stdout } = await call([
    "perl",
    "-e",
    'print crypt($ARGV[0], "\\$2y\\$05\\$abcdefghijklmnopqrstuu")',
    password,
  ]);
  Deno.writeTextFileSync(path, `${user}:${stdout}\n`);
  return path;
}
