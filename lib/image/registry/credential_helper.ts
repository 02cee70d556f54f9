/**
 * Programs that keep credentials: `docker-credential-NAME get|store|erase`, which speak JSON (docker-credential-helpers).
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { escapeControl } from "../../base/text.ts";
import type { Credentials } from "./authorizer.ts";

/** The user that stands for an identity token. */
const TOKEN_USER = "<token>";

/** What a helper keeps for a registry; undefined for nothing. @throws PaddockError where the helper fails */
export async function askHelper(name: string, server: string): Promise<Credentials | undefined> {
  const { code, stdout, stderr } = await call(name, "get", server);
  // They say so in words, on either stream.
  if (code !== 0 && /not found/i.test(stdout + stderr)) return undefined;
  if (code !== 0) throw failed(name, "get", stdout + stderr);
  let value: { Username?: unknown; Secret?: unknown };
  try {
    value = Object(JSON.parse(stdout));
  } catch {
    throw failed(name, "get", "its answer is no JSON");
  }
  const { Username: user, Secret: secret } = value;
  if (typeof user !== "string" || typeof secret !== "string") {
    throw failed(name, "get", "its answer has no Username and Secret");
  }
  return user === TOKEN_USER ? { kind: "identity", token: secret } : { kind: "password", user, password: secret };
}

/** Gives a helper credentials to keep. @throws PaddockError */
export async function giveHelper(name: string, server: string, user: string, password: string): Promise<void> {
  const { code, stdout, stderr } = await call(
    name,
    "store",
    JSON.stringify({ ServerURL: server, Username: user, Secret: password }),
  );
  if (code !== 0) throw failed(name, "store", stdout + stderr);
}

/** Lets a helper forget. @throws PaddockError */
export async function clearHelper(name: string, server: string): Promise<void> {
  const { code, stdout, stderr } = await call(name, "erase", server);
  if (code !== 0 && !/not found/i.test(stdout + stderr)) throw failed(name, "erase", stdout + stderr);
}

async function call(
  name: string,
  action: string,
  input: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const options: Deno.CommandOptions = { args: [action], stdin: "piped", stdout: "piped", stderr: "piped" };
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(`docker-credential-${name}`, options).spawn();
  } catch (cause) {
    throw new PaddockError(
      `docker-credential-${name}: ${cause instanceof Deno.errors.NotFound ? "no such program" : cause}`,
      {
        hint: "credsStore or credHelpers of config.json names it: install it, or take that out",
        cause,
      },
    );
  }
  const writer = child.stdin.getWriter();
  // One that ends without reading says why in its answer.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const output = await child.output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code: output.code, stdout: stdout!, stderr: stderr! };
}

function failed(name: string, action: string, said: string): PaddockError {
  return new PaddockError(
    `docker-credential-${name} ${action}: ${escapeControl(said.trim()).slice(0, 300) || "it failed"}`,
  );
}
