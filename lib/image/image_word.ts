/**
 * The words that name an image in a file or a directory and which of several it is, as skopeo and podman have them. Pure.
 *
 * @module
 */

/** A place where an image lies, and which it is where there are several. */
export interface ImagePlace {
  readonly form: "layout" | "archive";
  readonly path: string;
  /** A tag or a name. */
  readonly part?: string;
}

const FORMS: Readonly<Record<string, ImagePlace["form"]>> = {
  oci: "layout",
  "oci-archive": "archive",
  "docker-archive": "archive",
};

/**
 * Takes `oci:DIRECTORY[:TAG]`, `oci-archive:FILE[:TAG]` and `docker-archive:FILE[:NAME]` apart.
 *
 * @param isThere tells whether a path exists: one with a colon in it may.
 * @returns undefined for any other word.
 */
export function parseImageWord(word: string, isThere: (path: string) => boolean): ImagePlace | undefined {
  const [, prefix, rest] = /^(oci|oci-archive|docker-archive):(.+)$/s.exec(word) ?? [];
  if (prefix === undefined || rest === undefined) return undefined;
  const form = FORMS[prefix]!;
  const colon = rest.indexOf(":");
  if (colon <= 0 || isThere(rest)) return { form, path: rest };
  const part = rest.slice(colon + 1);
  return { form, path: rest.slice(0, colon), ...(part === "" ? {} : { part }) };
}
