/**
 * Who asks a registry, and how safely: logins, tokens, helpers, certificates, mirrors.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Box } from "./support/box.ts";
import { documentsOf, FakeRegistry } from "./support/fake_registry.ts";
import { busybox } from "./support/fixtures.ts";
import { gzip, idOf, type MadeImage, makeLayer, writeLayout } from "./support/images.ts";
import { call, type Outcome } from "./support/paddock.ts";
import { Registry, type RegistryOptions } from "./support/registry.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `registry login: ${name}`,
    ...requires("root", "overlay", "tool:busybox", "tool:docker-registry", "tool:skopeo", ...needs),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

async function image(): Promise<MadeImage> {
  return {
    layers: [Deno.readFileSync((await busybox()).tar), makeLayer({ path: "etc/added", text: "pulled\n" })],
    config: { Cmd: ["cat", "/etc/added"], Env: ["PATH=/bin"] },
    names: ["1"],
  };
}

/** A registry with the image `web:1` in it. */
async function startFilled(box: Box, options: RegistryOptions, ...flags: readonly string[]): Promise<Registry> {
  const registry = await Registry.start(box.path("registry"), options);
  await registry.fill(`oci:${writeLayout(box.path("oci"), [await image()], { pack: gzip })}:1`, "team/web:1", ...flags);
  return registry;
}

/** With files of credentials and configuration that are the test's own. */
function callers(box: Box, env: Record<string, string> = {}): (...words: string[]) => Promise<Outcome> {
  const home = box.directory("home");
  const own = { HOME: home, XDG_RUNTIME_DIR: box.directory("runtime"), XDG_CONFIG_HOME: `${home}/.config`, ...env };
  return (...words) => box.paddock.run(words, { env: own });
}

function expectRefused({ code, stdout, stderr }: Outcome, message: RegExp): void {
  assertEquals({ code, stdout }, { code: 125, stdout: "" }, stderr);
  assertMatch(stderr, message);
}

test("a registry with passwords wants one, takes it for once or for good, and forgets it", async (box) => {
  await using registry = await startFilled(box, { login: ["me", "secret"] }, "--dest-creds=me:secret");
  const run = callers(box);
  const name = `${registry.host}/team/web:1`;
  const config = box.path("home/.docker/config.json");
  expectRefused(await run("pull", name), /it wants to know who you are \(401.*\n.*paddock login 127/);
  expectRefused(await run("pull", "--creds", "me:wrong", name), /it wants to know who you are/);
  expectRefused(await run("pull", "--creds", "me", name), /password is asked for, and standard input is no terminal/);
  assertEquals((await run("pull", "--creds", "me:secret", name)).code, 0);
  expectRefused(
    await run("login", "-u", "me", "-p", "wrong", registry.host),
    /does not take this name and this password/,
  );
  expectRefused(await run("login", registry.host), /name is asked for, and standard input is no terminal/);
  const login = await box.paddock.run(["login", "-u", "me", "--password-stdin", registry.host], {
    env: { HOME: box.path("home"), XDG_RUNTIME_DIR: box.path("runtime"), XDG_CONFIG_HOME: box.path("home/.config") },
    stdin: "secret\n",
  });
  assertEquals([login.code, login.stdout, login.stderr], [0, `logged in to ${registry.host}; kept in ${config}\n`, ""]);
  assertEquals(Deno.statSync(config).mode! & 0o777, 0o600);
  assertEquals(JSON.parse(Deno.readTextFileSync(config)), { auths: { [registry.host]: { auth: btoa("me:secret") } } });
  assertEquals((await run("login", "--get-login", registry.host)).stdout, "me\n");
  assertEquals((await run("run", "--pull=always", name)).stdout, "pulled\n");
  assertEquals((await run("logout", registry.host)).stdout, `logged out of ${registry.host}\n`);
  expectRefused(await run("logout", registry.host), /nobody is logged in/);
  expectRefused(await run("pull", name), /it wants to know who you are/);
});

test("credentials are podman's before docker's, the longest name's before the registry's", async (box) => {
  await using registry = await startFilled(box, { login: ["me", "secret"] }, "--dest-creds=me:secret");
  const run = callers(box);
  const name = `${registry.host}/team/web:1`;
  const entry = (words: string): { auth: string } => ({ auth: btoa(words) });
  const write = (path: string, auths: Record<string, unknown>): string => box.file(path, JSON.stringify({ auths }));
  write("home/.docker/config.json", { [`https://${registry.host}/v1/`]: entry("me:secret") });
  assertEquals((await run("pull", name)).code, 0);
  write("runtime/containers/auth.json", { [registry.host]: entry("me:wrong") });
  expectRefused(await run("pull", name), /it wants to know who you are/);
  write("runtime/containers/auth.json", {
    [registry.host]: entry("me:wrong"),
    [`${registry.host}/team`]: entry("me:secret"),
  });
  assertEquals((await run("pull", name)).code, 0);
  const file = write("mine.json", { [registry.host]: entry("me:wrong") });
  expectRefused(await run("pull", "--authfile", file, name), /it wants to know who you are/);
  expectRefused(await run("pull", "--authfile", box.path("none.json"), name), /none.json": no such file/);
  expectRefused(await callers(box, { REGISTRY_AUTH_FILE: file })("pull", name), /it wants to know who you are/);
});

test("a helper keeps and gives what it is asked for", async (box) => {
  await using registry = await startFilled(box, { login: ["me", "secret"] }, "--dest-creds=me:secret");
  const helper = `#!/bin/sh
read -r line || true
echo "$1 $line" >> ${box.path("helper.log")}
case "$1" in
store) printf %s "$line" > ${box.path("kept")} ;;
erase) rm -f ${box.path("kept")} ;;
get) [ -e ${box.path("kept")} ] || { echo "credentials not found in native keychain"; exit 1; }
  cat ${box.path("kept")} ;;
esac
`;
  box.file("bin/docker-credential-test", helper, 0o755);
  box.file("home/.docker/config.json", JSON.stringify({ credsStore: "test", other: 1 }));
  const run = callers(box, { PATH: `${box.path("bin")}:${Deno.env.get("PATH")}` });
  const name = `${registry.host}/team/web:1`;
  expectRefused(await run("pull", name), /it wants to know who you are/);
  const { stdout } = await run("login", "-u", "me", "-p", "secret", registry.host);
  assertEquals(stdout, `logged in to ${registry.host}; kept in docker-credential-test\n`);
  const config = JSON.parse(Deno.readTextFileSync(box.path("home/.docker/config.json")));
  assertEquals(config, { credsStore: "test", other: 1, auths: { [registry.host]: {} } });
  assertEquals((await run("run", name)).stdout, "pulled\n");
  assertEquals((await run("logout", registry.host)).code, 0);
  assertEquals(JSON.parse(Deno.readTextFileSync(box.path("home/.docker/config.json"))).auths, {});
  assertMatch(
    Deno.readTextFileSync(box.path("helper.log")),
    /^get 127[\s\S]*^store \{"ServerURL":"127[\s\S]*^erase 127/m,
  );
  box.file("home/.docker/config.json", JSON.stringify({ credHelpers: { [registry.host]: "missing" } }));
  expectRefused(await run("pull", name), /docker-credential-missing: no such program/);
});

test("a token is got from its realm with what the registry is for, and shown to the registry alone", async (box) => {
  const documents = documentsOf(await image(), gzip);
  await using realm = FakeRegistry.start(new Map(), async ({ headers, method, body, path }, say) => {
    const isKnown = headers.get("authorization") === `Basic ${btoa("me:secret")}` ||
      (method === "POST" && body.includes("refresh_token=identity") && body.includes("grant_type=refresh_token"));
    if (!isKnown) {
      await say.all(401, { "Content-Type": "application/json" }, '{"details":"incorrect username or password"}');
    } else if (path.startsWith("/token")) await say.all(200, {}, JSON.stringify({ token: "granted", expires_in: 300 }));
    return true;
  });
  await using registry = FakeRegistry.start(documents, async ({ headers }, say) => {
    if (headers.get("authorization") === "Bearer granted") return false;
    await say.all(401, {
      "WWW-Authenticate":
        `Bearer realm="http://${realm.host}/token",service="fake",scope="repository:other/secret:pull"`,
    });
    return true;
  });
  const run = callers(box);
  const name = `${registry.host}/web:1`;
  expectRefused(await run("pull", name), /incorrect username or password/);
  assertEquals((await run("pull", "--creds", "me:secret", name)).stdout, `${idOf(await image())}\n`);
  // One token for all of it, for what is needed and not for what the registry says.
  const tokens = realm.asked.filter(({ headers }) => headers.has("authorization"));
  assertEquals(tokens.length, 1);
  const query = new URL(tokens[0]!.path, "http://x").searchParams;
  assertEquals([query.get("service"), query.get("scope"), query.get("account")], ["fake", "repository:web:pull", "me"]);
  assert(registry.asked.every(({ headers }) => !headers.get("authorization")?.startsWith("Basic")));

  box.file("home/.docker/config.json", JSON.stringify({ auths: { [registry.host]: { identitytoken: "identity" } } }));
  assertEquals((await run("pull", name)).code, 0);
  const post = realm.asked.find(({ method }) => method === "POST")!;
  assertEquals(new URLSearchParams(post.body).get("scope"), "repository:web:pull");
  box.file("home/.docker/config.json", JSON.stringify({ auths: { [registry.host]: { registrytoken: "granted" } } }));
  const before = realm.asked.length;
  assertEquals((await run("pull", name)).code, 0);
  assertEquals(realm.asked.length, before);
});

test("certificates: an unknown one is refused, and taken by --ca, --cert-dir, certs.d or for all", async (box) => {
  const { ca, cert, key, clientCert, clientKey } = await makeCertificates(box);
  const tls = { cert, key, clientAuthority: ca };
  const flags = [`--dest-cert-dir=${box.path("certs")}`];
  await using registry = await startFilled(box, { tls }, ...flags);
  const run = callers(box);
  const name = `${registry.host}/team/web:1`;
  expectRefused(await run("pull", "--tls-verify", name), /signed by nobody who is trusted here\n.*--ca FILE/);
  // The client has to have one as well.
  expectRefused(await run("pull", "--tls-verify", "--ca", ca, name), /certificate/);
  assertEquals((await run("pull", "--tls-verify", "--cert-dir", box.path("certs"), name)).code, 0);
  const certsD = box.directory(`home/.config/containers/certs.d/${registry.host}`);
  for (const [from, to] of [[ca, "ca.crt"], [clientCert, "client.cert"], [clientKey, "client.key"]] as const) {
    Deno.copyFileSync(from, `${certsD}/${to}`);
  }
  assertEquals((await run("pull", "--tls-verify", name)).code, 0);
  expectRefused(await run("pull", "--tls-verify", "--ca", box.file("no.crt", "no"), name), /no.crt" is no certificate/);

  const plain = FakeRegistry.start(documentsOf(await image(), gzip), undefined, {
    cert: Deno.readTextFileSync(cert),
    key: Deno.readTextFileSync(key),
  });
  await using _plain = plain;
  expectRefused(await run("pull", "--tls-verify", `${plain.host}/web:1`), /trusted here/);
  assertEquals((await run("pull", "--tls-verify", "--ca", ca, `${plain.host}/web:1`)).code, 0);
  assertEquals((await run("pull", "--insecure", `${plain.host}/web:1`)).code, 0);
  // On this host that is so without a word.
  assertEquals((await run("pull", `${plain.host}/web:1`)).code, 0);
}, "tool:openssl");

test("registries.conf: mirrors are asked first, and a registry that is blocked never", async (box) => {
  await using registry = await startFilled(box, {});
  const conf = box.file(
    "registries.conf",
    `
[[registry]]
prefix = "nowhere.invalid/hub"
[[registry.mirror]]
location = "${registry.host}/missing"
[[registry.mirror]]
location = "${registry.host}/team"
[[registry]]
location = "blocked.invalid"
blocked = true
`,
  );
  const run = callers(box, { CONTAINERS_REGISTRIES_CONF: conf });
  const { stdout, stderr } = await run("run", "nowhere.invalid/hub/web:1");
  assertEquals(stdout, "pulled\n", stderr);
  assertMatch(stderr, /404.*; asking 127\.0\.0\.1:\d+ instead/);
  assertMatch((await run("images")).stdout, /nowhere\.invalid\/hub\/web:1/);
  expectRefused(await run("pull", "blocked.invalid/x"), /"blocked.invalid\/x" is blocked by registries.conf/);
  box.file("registries.conf", "[[registry]]\nlocation = ");
  expectRefused(await run("pull", "x"), /registries.conf": line 2: /);
});

/** An authority, a server's certificate for 127.0.0.1 and a client's, as openssl makes them. */
async function makeCertificates(
  box: Box,
): Promise<Record<"ca" | "cert" | "key" | "clientCert" | "clientKey", string>> {
  const certs = box.directory("certs");
  const script = `cd "$1"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ../ca.key -out ca.crt -subj /CN=authority -days 2
printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ../server.ext
printf 'extendedKeyUsage=clientAuth\\nbasicConstraints=CA:FALSE\\n' > ../client.ext
for who in server client; do
  openssl req -newkey rsa:2048 -nodes -keyout ../$who.key -out ../$who.csr -subj /CN=$who
  openssl x509 -req -in ../$who.csr -CA ca.crt -CAkey ../ca.key -CAcreateserial -CAserial ../serial -out ../$who.pem -days 2 -extfile ../$who.ext
done
cp ../client.pem client.cert; cp ../client.key client.key`;
  const { code, stderr } = await call(["sh", "-ec", script, "sh", certs]);
  assertEquals(code, 0, stderr);
  return {
    ca: `${certs}/ca.crt`,
    cert: box.path("server.pem"),
    key: box.path("server.key"),
    clientCert: `${certs}/client.cert`,
    clientKey: `${certs}/client.key`,
  };
}
