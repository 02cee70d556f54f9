/**
 * Certificates for registries: the host's authorities, and what `certs.d` has for one registry (`man 5
 * containers-certs.d`, docker's "Verify repository client with certificates").
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";

/** What a connection to one host takes, as PEM. */
export interface CertificateFiles {
  readonly authorities: readonly string[];
  /** Of the client. */
  readonly pair?: { readonly cert: string; readonly key: string };
}

/** Where certificates lie; the user's own directory goes first. */
function directoriesOf(host: string): string[] {
  const config = Deno.env.get("XDG_CONFIG_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.config`;
  return [`${config}/containers/certs.d`, "/etc/containers/certs.d", "/etc/docker/certs.d"].map((at) =>
    `${at}/${host}`
  );
}

/**
 * What is meant for a host.
 *
 * @param host with its port, where it has one.
 * @throws PaddockError for what cannot be read, and a certificate of a client without its key.
 */
export function findCertificates(
  host: string,
  { certDir, ca }: { readonly certDir?: string | undefined; readonly ca?: string | undefined },
): CertificateFiles {
  const directories = certDir === undefined ? directoriesOf(host) : [certDir];
  const found = directories.map((directory) => readDirectory(directory, directory === certDir));
  const pair = found.find((files) => files.pair !== undefined)?.pair;
  const authorities = [
    ...(ca === undefined ? [] : [readCertificate(ca)]),
    ...found.flatMap((files) => files.authorities),
  ];
  return { authorities, ...(pair === undefined ? {} : { pair }) };
}

function readDirectory(directory: string, mustBe: boolean): CertificateFiles {
  let names: string[];
  try {
    names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !mustBe) return { authorities: [] };
    throw cannotRead(directory, error);
  }
  const authorities = names.filter((name) => name.endsWith(".crt")).map((name) =>
    readCertificate(`${directory}/${name}`)
  );
  const cert = names.find((name) => name.endsWith(".cert"));
  if (cert === undefined) return { authorities };
  const key = cert.replace(/cert$/, "key");
  if (!names.includes(key)) {
    throw new PaddockError(`"${directory}/${cert}" has no key beside it: ${key} is wanted`, {
      hint: "*.crt are authorities, *.cert and *.key are the client's own",
    });
  }
  return { authorities, pair: { cert: readText(`${directory}/${cert}`), key: readText(`${directory}/${key}`) } };
}

function readCertificate(path: string): string {
  const text = readText(path);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new PaddockError(`"${path}" is no certificate`, { hint: "PEM is wanted: -----BEGIN CERTIFICATE-----" });
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw cannotRead(path, error);
  }
}

function cannotRead(path: string, error: unknown): PaddockError {
  const why = error instanceof Deno.errors.NotFound ? "no such file or directory" : (error as Error).message;
  return new PaddockError(`"${path}": ${why}`, { cause: error });
}

/** Where distributions keep the authorities that they trust. The runtime's own list knows none that an admin has added. */
const SYSTEM_ROOTS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/** The authorities of this host, or of SSL_CERT_FILE. */
export function readSystemRoots(): string[] {
  const given = Deno.env.get("SSL_CERT_FILE");
  for (const path of given === undefined ? SYSTEM_ROOTS : [given]) {
    try {
      return [Deno.readTextFileSync(path)];
    } catch {
      // The next one, or the runtime's own.
    }
  }
  return [];
}
